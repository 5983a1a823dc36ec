"""How a trial ended -> what Optuna's tables keep of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optuna.trial import TrialState

from tuning_operator.decisions.run_values import mean_of, spread_of
from tuning_operator.decisions.trial_value import all_finite, objective_values
from tuning_operator.decisions.trials import EndState
from tuning_operator.ports import Outcome
from tuning_operator.search.attributes import (
    ATTEMPT,
    COMPLETE_RUNS_MEAN,
    MESSAGE,
    METRICS,
    REASON,
    RUN_VALUES,
    RUNNING_SECONDS,
    STD,
    TOLD_AFTER,
    written_numbers,
)
from tuning_operator.search.feasibility import constraint_attrs
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.times import to_local
from tuning_operator.search.trial_rows import TrialEnding


def ending_of(outcome: Outcome, trial: TrialProgress, now: float, asked: int) -> TrialEnding:
    """Return what is written for an outcome that is told after so many trials were asked for.

    Optuna takes an infinite value for the best one and refuses NaN: a trial can't be complete with either, nor without
    a value of each objective, and is written as failed. One that was pruned has all values or none.
    """
    known = all_finite(objective_values(outcome, trial.objectives))
    has_all = len(known) == len(trial.objectives)
    state = _state(outcome, has_all)
    return TrialEnding(
        trial_id=trial.trial_id,
        state=state,
        values=tuple(known.values()) if has_all and state is not TrialState.FAIL else (),
        completed_at=to_local(now),
        user_attrs={
            REASON: outcome.reason,
            MESSAGE: outcome.message,
            RUNNING_SECONDS: outcome.running_seconds,
            ATTEMPT: trial.attempt,
            TOLD_AFTER: asked,
            **_metrics(outcome, trial),
            **_of_runs(trial.run_values()),
            **_of_complete_runs(state, trial),
        },
        system_attrs=constraint_attrs(outcome, trial),
    )


def _of_complete_runs(state: TrialState, trial: TrialProgress) -> dict[str, float]:
    """Return what samplers shall learn from a trial that was pruned: the mean of its runs that had come to their end,
    which can be compared with a whole trial's. Optuna advises the same for its WilcoxonPruner.

    Bounds of metrics, or further objectives, may lack a value.
    """
    values = trial.complete_run_values()
    if state is not TrialState.PRUNED or not values or trial.constraints or len(trial.objectives) > 1:
        return {}
    mean = mean_of(values.values())
    return {COMPLETE_RUNS_MEAN: mean} if math.isfinite(mean) else {}


def _metrics(outcome: Outcome, trial: TrialProgress) -> dict[str, Any]:
    """Return what is kept of metrics that have a constraint; of objectives Optuna has the values."""
    others = {each.metric for each in trial.constraints} - {each.metric for each in trial.objectives}
    values = {metric: value for metric, value in outcome.further.items() if metric in others}
    return {METRICS: values} if values else {}


def _of_runs(values: Mapping[int, float]) -> dict[str, Any]:
    """Return what is kept of several runs; what JSON can't hold, a diverged training's NaN, is left out."""
    finite = {run: value for run, value in values.items() if math.isfinite(value)}
    if not finite:
        return {}
    std = spread_of(finite.values())
    return {RUN_VALUES: written_numbers(finite), **({} if std is None else {STD: std})}


def _state(outcome: Outcome, has_all: bool) -> TrialState:
    match outcome.state:
        case EndState.COMPLETE:
            return TrialState.COMPLETE if has_all else TrialState.FAIL
        case EndState.PRUNED:
            return TrialState.PRUNED
        case EndState.FAILED:
            return TrialState.FAIL
