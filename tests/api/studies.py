"""Documents of studies."""

from __future__ import annotations

from typing import Any


def study(name: str = "study", **spec: Any) -> dict[str, Any]:
    """A small valid study with fields of `spec` replaced."""
    container = {"name": "trainer", "image": "trainer:1"}
    return {
        "apiVersion": "tuning-operator.io/v1alpha1",
        "kind": "TuningStudy",
        "metadata": {"name": name},
        "spec": {
            "objectives": [{"metric": "loss", "direction": "Minimize"}],
            "parameters": [{"name": "x", "type": "Float", "low": 0, "high": 1}],
            "maxTrials": 10,
            "trial": {"template": {"spec": {"containers": [container]}}},
            **spec,
        },
    }


def study_with(*parameters: dict[str, Any]) -> dict[str, Any]:
    """A small study with these parameters."""
    return study(parameters=list(parameters))
