"""A trial's earlier attempts and rungs and a study's clock, as attributes in Optuna's tables keep them.

Whoever can write to the database can write anything there: what can't be read counts as nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tuning_operator.decisions.snapshot import ActiveTime, EarlierAttempts

EARLIER_ATTEMPTS = "tuning:earlier_attempts"
"""User attribute of a trial."""
RUNGS = "tuning:rungs"
"""User attribute of a trial: its value at each rung of SuccessiveHalving or Hyperband, by the rung's step."""
ACTIVE_TIME = "tuning:active_time"
"""User attribute of a study."""

_attempts = TypeAdapter(EarlierAttempts)
_active_time = TypeAdapter(ActiveTime | None)
_rungs = TypeAdapter(dict[int, float])


def written(value: EarlierAttempts | ActiveTime) -> dict[str, Any]:
    """Return the attribute's value, as JSON."""
    return asdict(value)


def earlier_attempts(trial_attrs: Mapping[str, Any]) -> EarlierAttempts:
    """Return a trial's earlier attempts; none by default."""
    try:
        return _attempts.validate_python(trial_attrs.get(EARLIER_ATTEMPTS, {}))
    except ValidationError:
        return EarlierAttempts()


def active_time(study_attrs: Mapping[str, Any]) -> ActiveTime | None:
    """Return a study's clock; None: it has been going since the first trial."""
    try:
        return _active_time.validate_python(study_attrs.get(ACTIVE_TIME))
    except ValidationError:
        return None


def written_rungs(values: Mapping[int, float]) -> dict[str, float]:
    """Return a trial's values at its rungs, as JSON has them."""
    return {str(step): value for step, value in values.items()}


def rungs(trial_attrs: Mapping[str, Any]) -> dict[int, float]:
    """Return a trial's values at its rungs, by step; none by default."""
    try:
        values = _rungs.validate_python(trial_attrs.get(RUNGS, {}))
    except ValidationError:
        return {}
    return {step: value for step, value in values.items() if not math.isnan(value)}
