"""The studies of the walk: the README's example as it is, and two short ones that are made of examples.

Nodes need no further image: what only prints is run by the trainer's image, of which it uses Python alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from tests.e2e.images import EXAMPLES


@dataclass(frozen=True)
class Study:
    """A document and what must become of it."""

    document: dict[str, Any]
    least_accuracy: float
    """Of the best trial."""
    longest: float
    """Seconds until its end on a slow machine."""
    credential: str | None
    """The variable from which its trials have what they report with; None: their logs are read."""
    prunes: bool = False
    """Whether some of its trials are bound to be pruned."""

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def trials(self) -> int:
        return int(self.document["spec"]["maxTrials"])


def digits() -> Study:
    """The README's study; 4 minutes are usual on 2 cores."""
    return Study(_read("digits-mlp"), least_accuracy=0.9, longest=1200, credential="TUNING_REPORT_TOKEN", prunes=True)


def printing() -> Study:
    """Containers that know nothing of tuning: their logs are read where a kubelet keeps them."""
    document = _read("printed-metrics")
    document["spec"]["maxTrials"] = 8
    _container(document)["image"] = _container(_read("digits-mlp"))["image"]
    return Study(document, least_accuracy=0.8, longest=600, credential=None)


def with_tokens() -> Study:
    """Some digits again, for an operator that asks for the tokens that a kubelet puts into pods."""
    document = _read("digits-mlp")
    document["metadata"]["name"] = "digits-with-tokens"
    document["spec"]["maxTrials"] = 2
    return Study(document, least_accuracy=0.5, longest=600, credential="TUNING_REPORT_TOKEN_FILE")


def _read(example: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{example}.yaml").read_text())
    return document


def _container(document: dict[str, Any]) -> dict[str, Any]:
    (container,) = document["spec"]["trial"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found
