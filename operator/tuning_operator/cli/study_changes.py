"""What suspending, resuming and stopping change in a spec. Pure: an object in, a merge patch of its spec out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuning_operator.api.status import ConditionType, StudyStatus, read_status
from tuning_operator.api.study import Suspension
from tuning_operator.errors import NotFound, TuningError

Change = Mapping[str, Any]
"""Fields of the spec; None removes one. Empty: it is as is wanted already."""


def suspending(document: Mapping[str, Any], mode: Suspension) -> Change:
    """Pause a study.

    Raises
    ------
    TuningError
        It has ended.
    """
    _require_open(document)
    return {"suspend": {"enabled": True, "mode": mode.value}}


def resuming(document: Mapping[str, Any]) -> Change:
    """Let a study go on that is suspended, or that a person stopped; raises as `suspending` does."""
    if _stopping(document).get("now") is None:
        _require_open(document, "; raise what ended it, such as `maxTrials`, and it goes on")
    return {"suspend": {"enabled": False}, "stopping": {"now": None}}


def stopping(document: Mapping[str, Any], mode: Suspension) -> Change:
    """End a study; raises as `suspending` does."""
    _require_open(document)
    return {"stopping": {"now": mode.value}}


def stopping_trials(document: Mapping[str, Any], numbers: Sequence[int]) -> Change:
    """End some of a study's trials; raises as `suspending` does.

    Raises
    ------
    NotFound
        The study has not come to one of the trials yet.
    """
    _require_open(document)
    status = read_status(document.get("status"))
    for number in numbers:
        if number >= status.trials.total:
            raise NotFound(f"the study {_name(document)} has no trial {number}; it has {_trials(status)}")
    known = [number for number in _stopping(document).get("trials") or () if isinstance(number, int)]
    wanted = [*dict.fromkeys([*known, *numbers])]
    return {} if wanted == known else {"stopping": {"trials": wanted}}


def _require_open(document: Mapping[str, Any], way_out: str = "") -> None:
    status = read_status(document.get("status"))
    for kind in (ConditionType.COMPLETE, ConditionType.FAILED):
        condition = status.condition(kind)
        if condition is not None and condition.status == "True":
            why = f"{kind.value}, {condition.reason}: {condition.message}"
            raise TuningError(f"the study {_name(document)} has ended already ({why}){way_out}")


def _stopping(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return (document.get("spec") or {}).get("stopping") or {}


def _trials(status: StudyStatus) -> str:
    total = status.trials.total
    return f"0 to {total - 1} so far" if total else "none so far"


def _name(document: Mapping[str, Any]) -> str:
    return str(document["metadata"]["name"])
