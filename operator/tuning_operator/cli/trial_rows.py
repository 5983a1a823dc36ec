"""A trial as the tables show it, whether it comes from this machine or from the read API. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tuning_contract import WireError
from tuning_contract.environment import ParameterValue
from tuning_contract.reports import number_from_json

COMPLETE = "COMPLETE"
PRUNED = "PRUNED"
FAILED = "FAILED"
RUNNING = "RUNNING"
WAITING = "WAITING"
"""States that do not change any more."""


@dataclass(frozen=True)
class TrialRow:
    """One trial."""

    number: int
    state: str
    parameters: Mapping[str, ParameterValue]
    value: float | None = None
    """The first objective."""
    further: Mapping[str, float] = field(default_factory=dict)
    """The other objectives by metric, and metrics that have a constraint."""
    std: float | None = None
    """Standard deviation over its runs, of several."""
    step: int | None = None
    """The largest step that was reported."""
    seconds: float | None = None
    """Running time."""
    attempt: int = 1
    reason: str = ""
    message: str = ""
    trend: Sequence[float] = ()
    """Values of the objective so far, in order."""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    """What its strategy says of it; empty: none does."""
    log: str = ""
    """Where its log is."""

    @property
    def why(self) -> str:
        """Reason and message, where they say more than the state."""
        if not self.reason or self.reason.upper() == self.state:
            return self.message
        return f"{self.reason}: {self.message}" if self.message else self.reason

    @property
    def remark(self) -> str:
        """The same, or else how a strategy's trial differs from its parent."""
        return self.why or str(self.lineage.get("note", ""))


def trial_row(document: Mapping[str, Any]) -> TrialRow:
    """Return the row of a trial's document. What an unknown version of the operator leaves out is shown as absent."""
    seconds = document.get("runningSeconds")
    return TrialRow(
        number=int(document.get("number", -1)),
        state=str(document.get("state", "")),
        parameters=dict(document.get("parameters") or {}),
        value=_number(document.get("value")),
        further=_numbers(document.get("further")),
        std=_number(document.get("std")),
        step=document.get("lastStep"),
        seconds=seconds if seconds is not None else _between(document),
        attempt=int(document.get("attempt", 1)),
        reason=str(document.get("reason", "")),
        message=str(document.get("message", "")),
        lineage=dict(document.get("lineage") or {}),
    )


def _numbers(values: Any) -> dict[str, float]:
    numbers = {name: _number(value) for name, value in (values or {}).items()}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(value: Any) -> float | None:
    try:
        return None if value is None else number_from_json(value, "value")
    except WireError:
        return None


def _between(document: Mapping[str, Any]) -> float | None:
    first, last = document.get("firstReportAt"), document.get("lastReportAt")
    if first is None or last is None:
        return None
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
