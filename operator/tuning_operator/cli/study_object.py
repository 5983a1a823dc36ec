"""What commands ask of a study's object before they do something; its spec may be of another version. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning_operator.api.status import ConditionType, read_status
from tuning_operator.errors import NotFound, TuningError


def require_open(document: Mapping[str, Any], way_out: str = "") -> None:
    """Raise `TuningError` for a study that has ended."""
    status = read_status(document.get("status"))
    for kind in (ConditionType.COMPLETE, ConditionType.FAILED):
        condition = status.condition(kind)
        if condition is not None and condition.status == "True":
            why = f"{kind.value}, {condition.reason}: {condition.message}"
            raise TuningError(f"the study {name_of(document)} has ended already ({why}){way_out}")


def require_trial(study: str, number: int, total: int) -> None:
    """Raise `NotFound` for a number that a study with `total` trials has not come to."""
    if number >= total:
        known = f"0 to {total - 1} so far" if total else "none so far"
        raise NotFound(f"the study {study} has no trial {number}; it has {known}")


def name_of(document: Mapping[str, Any]) -> str:
    """Return a study's name."""
    return str(document["metadata"]["name"])
