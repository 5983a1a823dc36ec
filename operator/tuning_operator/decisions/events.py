"""Which transitions are worth an Event of the study."""

from __future__ import annotations

from dataclasses import dataclass

from tuning_operator.api.status import Condition, ConditionType, StudyStatus
from tuning_operator.decisions.conditions import NOT_SUSPENDED, RESUMED


@dataclass(frozen=True)
class Announcement:
    """An Event to record."""

    warning: bool
    reason: str
    message: str


_WARN_WHEN_TRUE = (ConditionType.FAILED, ConditionType.DEGRADED)
_TELL_WHEN_TRUE = (ConditionType.RUNNING, ConditionType.SUSPENDED, ConditionType.COMPLETE)


def announcements(before: StudyStatus, now: StudyStatus) -> list[Announcement]:
    """Return an Event for each condition that turned, or gave another reason, between two statuses."""
    found = []
    for condition in now.conditions:
        old = before.condition(condition.type)
        if old is not None and (old.status, old.reason) == (condition.status, condition.reason):
            continue
        refused = condition.type is ConditionType.ACCEPTED and condition.status == "False"
        if refused or (condition.status == "True" and condition.type in _WARN_WHEN_TRUE):
            found.append(Announcement(True, condition.reason, condition.message))
        elif condition.status == "True" and condition.type in _TELL_WHEN_TRUE:
            found.append(Announcement(False, condition.reason, condition.message))
        elif old is not None and old.status == "True" and _goes_on(condition):
            found.append(Announcement(False, RESUMED, condition.message))
    return found


def _goes_on(condition: Condition) -> bool:
    """Whether a condition turned false because a person let the study go on."""
    if condition.type is ConditionType.SUSPENDED:
        return condition.reason == NOT_SUSPENDED
    return condition.reason == RESUMED
