"""How a trial ended -> what Optuna's tables keep of it."""

from __future__ import annotations

import math

from optuna.trial import TrialState

from tuning_operator.decisions.snapshot import EndState
from tuning_operator.ports import Outcome
from tuning_operator.search.attributes import ATTEMPT, MESSAGE, REASON, RUNNING_SECONDS, TOLD_AFTER
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.times import to_local
from tuning_operator.search.trial_rows import TrialEnding


def ending_of(outcome: Outcome, trial: TrialProgress, now: float, asked: int) -> TrialEnding:
    """Return what is written for an outcome that is told after so many trials were asked for.

    Optuna takes an infinite value for the best one and refuses NaN: a trial can't be complete with either, nor without
    a value, and is written as failed.
    """
    state = _state(outcome)
    return TrialEnding(
        trial_id=trial.trial_id,
        state=state,
        value=None if state is TrialState.FAIL or not _is_finite(outcome.value) else outcome.value,
        completed_at=to_local(now),
        user_attrs={
            REASON: outcome.reason,
            MESSAGE: outcome.message,
            RUNNING_SECONDS: outcome.running_seconds,
            ATTEMPT: trial.attempt,
            TOLD_AFTER: asked,
        },
    )


def _state(outcome: Outcome) -> TrialState:
    match outcome.state:
        case EndState.COMPLETE:
            return TrialState.COMPLETE if _is_finite(outcome.value) else TrialState.FAIL
        case EndState.PRUNED:
            return TrialState.PRUNED
        case EndState.FAILED:
            return TrialState.FAIL


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
