"""A trial's value from its reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tuning_operator.api.study import Direction, Objective, Reduce
from tuning_operator.decisions.actions import Outcome
from tuning_operator.decisions.run_values import mean_of
from tuning_operator.decisions.trials import FinishedTrial, OpenTrial


def reduce_values(values: Mapping[int, float], how: Reduce, direction: Direction) -> float | None:
    """Return the objective of a trial from its values by step; None: there are none.

    The last value is that of the largest step. The best one is finite as long as any is, for a training that diverged
    late was good before; the mean of anything that is not finite is not finite.
    """
    if not values:
        return None
    match how:
        case Reduce.LAST:
            return values[max(values)]
        case Reduce.MEAN:
            return mean_of(values.values())
        case Reduce.BEST:
            finite = [value for value in values.values() if math.isfinite(value)]
            if not finite:
                return values[max(values)]
            return max(finite) if direction is Direction.MAXIMIZE else min(finite)


def objective_values(trial: OpenTrial | FinishedTrial | Outcome, objectives: Sequence[Objective]) -> dict[str, float]:
    """Return what is known of a trial's objectives, by metric, in their order."""
    known = known_values(trial, objectives)
    return {objective.metric: known[objective.metric] for objective in objectives if objective.metric in known}


def known_values(trial: OpenTrial | FinishedTrial | Outcome, objectives: Sequence[Objective]) -> dict[str, float]:
    """Return what is known of a trial's objectives, and of metrics that have a constraint, by metric."""
    return {**({} if trial.value is None else {objectives[0].metric: trial.value}), **trial.further}


def finite(value: float | None) -> float | None:
    """Return a value that Optuna can keep; None: it is not."""
    return value if value is not None and math.isfinite(value) else None


def all_finite(values: Mapping[str, float]) -> dict[str, float]:
    """Return those values that Optuna can keep."""
    return {metric: value for metric, value in values.items() if math.isfinite(value)}
