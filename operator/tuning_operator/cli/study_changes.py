"""What suspending, resuming and stopping change in a spec. Pure: an object in, a merge patch of its spec out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuning_operator.api.status import read_status
from tuning_operator.api.study import Suspension
from tuning_operator.cli.study_object import name_of, require_open, require_trial

Change = Mapping[str, Any]
"""Fields of the spec; None removes one. Empty: it is as is wanted already."""


def suspending(document: Mapping[str, Any], mode: Suspension) -> Change:
    """Pause a study.

    Raises
    ------
    TuningError
        It has ended.
    """
    require_open(document)
    return {"suspend": {"enabled": True, "mode": mode.value}}


def resuming(document: Mapping[str, Any]) -> Change:
    """Let a study go on that is suspended, or that a person stopped; raises as `suspending` does."""
    if _stopping(document).get("now") is None:
        require_open(document, "; raise what ended it, such as `maxTrials`, and it goes on")
    return {"suspend": {"enabled": False}, "stopping": {"now": None}}


def stopping(document: Mapping[str, Any], mode: Suspension) -> Change:
    """End a study; raises as `suspending` does."""
    require_open(document)
    return {"stopping": {"now": mode.value}}


def stopping_trials(document: Mapping[str, Any], numbers: Sequence[int]) -> Change:
    """End some of a study's trials; raises as `suspending` does.

    Raises
    ------
    NotFound
        The study has not come to one of the trials yet.
    """
    require_open(document)
    status = read_status(document.get("status"))
    for number in numbers:
        require_trial(name_of(document), number, status.trials.total)
    known = [number for number in _stopping(document).get("trials") or () if isinstance(number, int)]
    wanted = [*dict.fromkeys([*known, *numbers])]
    return {} if wanted == known else {"stopping": {"trials": wanted}}


def _stopping(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return (document.get("spec") or {}).get("stopping") or {}
