"""A trial's earlier attempts, its pods' time and a study's clock, as attributes in Optuna's tables keep them.

Whoever can write to the database can write anything there: what can't be read counts as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tuning_operator.decisions.snapshot import ActiveTime, EarlierAttempts, PodTime

EARLIER_ATTEMPTS = "tuning:earlier_attempts"
"""User attribute of a trial."""
POD_TIME = "tuning:pod_time"
"""User attribute of a trial, there only where a queue had to do with its Job."""
ACTIVE_TIME = "tuning:active_time"
"""User attribute of a study."""

_attempts = TypeAdapter(EarlierAttempts)
_pod_time = TypeAdapter(PodTime)
_active_time = TypeAdapter(ActiveTime | None)


def written(value: EarlierAttempts | PodTime | ActiveTime) -> dict[str, Any]:
    """Return the attribute's value, as JSON."""
    return asdict(value)


def earlier_attempts(trial_attrs: Mapping[str, Any]) -> EarlierAttempts:
    """Return a trial's earlier attempts; none by default."""
    try:
        return _attempts.validate_python(trial_attrs.get(EARLIER_ATTEMPTS, {}))
    except ValidationError:
        return EarlierAttempts()


def written_pod_time(value: PodTime, attempt: int) -> dict[str, Any]:
    """Return the attribute's value; it says of which attempt it is."""
    return {**written(value), "attempt": attempt}


def pod_time(trial_attrs: Mapping[str, Any], attempt: int) -> PodTime:
    """Return what is stored of an attempt's pods; nothing by default."""
    stored = trial_attrs.get(POD_TIME)
    if not isinstance(stored, dict) or stored.get("attempt") != attempt:
        return PodTime()
    try:
        return _pod_time.validate_python({name: value for name, value in stored.items() if name != "attempt"})
    except ValidationError:
        return PodTime()


def active_time(study_attrs: Mapping[str, Any]) -> ActiveTime | None:
    """Return a study's clock; None: it has been going since the first trial."""
    try:
        return _active_time.validate_python(study_attrs.get(ACTIVE_TIME))
    except ValidationError:
        return None
