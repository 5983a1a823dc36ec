"""What is read from a Lease, and what a candidate writes into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuning_operator.api.names import REPORT_ADDRESS_ANNOTATION
from tuning_operator.cluster.event_recorder import micro_time


@dataclass(frozen=True)
class Candidate:
    """Who wants the Lease."""

    identity: str
    address: str
    """Base URL of its report endpoint; empty: others can't reach it."""
    duration: float
    """Seconds that it may hold the Lease without renewing it."""


def holder(document: Mapping[str, Any]) -> str:
    """Return who holds a Lease; empty: nobody."""
    return str(_spec(document).get("holderIdentity") or "")


def address(document: Mapping[str, Any]) -> str:
    """Return the base URL of the holder's report endpoint; empty when it has said none."""
    return str((document["metadata"].get("annotations") or {}).get(REPORT_ADDRESS_ANNOTATION) or "")


def duration(document: Mapping[str, Any], default: float) -> float:
    """Return for how many seconds the holder may be silent."""
    return float(_spec(document).get("leaseDurationSeconds") or default)


def claimed(document: Mapping[str, Any], candidate: Candidate, now: float) -> dict[str, Any]:
    """Return a Lease that a candidate takes."""
    metadata = document["metadata"]
    transitions = _spec(document).get("leaseTransitions")
    spec = {
        "holderIdentity": candidate.identity,
        "leaseDurationSeconds": max(1, round(candidate.duration)),
        "acquireTime": micro_time(now),
        "renewTime": micro_time(now),
        "leaseTransitions": (transitions if isinstance(transitions, int) else 0) + 1,
    }
    annotations = {**(metadata.get("annotations") or {}), REPORT_ADDRESS_ANNOTATION: candidate.address}
    return {**document, "metadata": {**metadata, "annotations": annotations}, "spec": spec}


def renewed(document: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return a Lease that its holder renews."""
    return {**document, "spec": {**_spec(document), "renewTime": micro_time(now)}}


def released(document: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return a Lease that its holder gives up."""
    spec = {**_spec(document), "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": micro_time(now)}
    return {**document, "spec": spec}


def _spec(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return document.get("spec") or {}
