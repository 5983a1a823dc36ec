"""Examples as tests run them: a few short trials."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "SynchronousHyperband": {"minResource": 3, "maxResource": 6, "reductionFactor": 2},
}
"""Options with which a strategy is whole after a few trials."""


def shorten(study: dict[str, Any], trials: int) -> bool:
    """Shorten a study; return whether it has a strategy, which ends by itself."""
    spec = study["spec"]
    sampler = spec.get("search", {}).get("sampler", {})
    if sampler.get("name") in SMALL:
        sampler["options"] |= SMALL[sampler["name"]]
        return True
    spec["maxTrials"], spec["parallelism"] = min(trials, spec["maxTrials"]), min(trials, spec.get("parallelism", 1))
    return False
