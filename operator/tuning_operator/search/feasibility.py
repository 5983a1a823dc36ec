"""How far trials are beyond the bounds of metrics, as Optuna's samplers, plots and dashboards look for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import FrozenTrial

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.decisions.actions import Outcome
from tuning_operator.decisions.feasibility import excesses, total_violation
from tuning_operator.decisions.trial_value import known_values
from tuning_operator.decisions.trials import EndState
from tuning_operator.search.open_trial import TrialProgress

_PREFIX = f"{_CONSTRAINTS_KEY}:"


def constraint_attrs(outcome: Outcome, trial: TrialProgress) -> dict[str, float]:
    """Return a trial's system attributes that say so; what is 0 or less keeps its bound.

    What a pruned trial did not report until then says nothing, unlike what a complete one never did.
    """
    if outcome.state is EndState.FAILED:
        return {}
    values, constraints = known_values(outcome, trial.objectives), trial.constraints
    if outcome.state is EndState.PRUNED:
        constraints = [each for each in constraints if each.metric in values]
    return {f"{_PREFIX}{bound}": excess for bound, excess in excesses(values, constraints).items()}


def attr_names(constraints: Sequence[MetricConstraint]) -> list[str]:
    """Return the names of the system attributes of a trial's excesses, in the order of the bounds."""
    return [f"{_PREFIX}{bound}" for bound in excesses({}, constraints)]


def keeps_bounds(trial: FrozenTrial) -> bool:
    """Return whether a complete trial is within all bounds of metrics."""
    return violation_in(trial) == 0


def violation_in(trial: FrozenTrial) -> float:
    """Return how far a trial that has ended is beyond the bounds of metrics, all added up; 0: it keeps them."""
    return total_violation(excesses_in(trial).values())


def excesses_in(trial: FrozenTrial) -> dict[str, float]:
    """Return a trial's system attributes of how far it is beyond each bound; NaN: what is stored is no number."""
    stored = {name: excess for name, excess in trial.system_attrs.items() if name.startswith(_PREFIX)}
    return {name: excess if isinstance(excess, int | float) else math.nan for name, excess in stored.items()}


def in_order(system_attrs: Mapping[str, Any], constraints: Sequence[MetricConstraint]) -> dict[str, Any]:
    """Return a trial's system attributes with its excesses in the order of the study's bounds.

    GP tells bounds apart by their place alone, and databases return attributes in any order.
    """
    ordered = {name: system_attrs[name] for name in attr_names(constraints) if name in system_attrs}
    return {name: value for name, value in system_attrs.items() if name not in ordered} | ordered


def without_constraints(system_attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's system attributes as they were before it ended."""
    return {name: value for name, value in system_attrs.items() if not name.startswith(_PREFIX)}
