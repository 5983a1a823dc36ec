"""Whether a trial keeps the bounds of the study's metrics, and by how much it does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tuning_operator.api.metric_constraints import MetricConstraint


def excesses(values: Mapping[str, float], constraints: Sequence[MetricConstraint]) -> dict[str, float]:
    """Return how far a trial's metrics are beyond each bound, in the metric's unit; 0 and less: they keep it.

    A metric without a value breaks its bounds, as far as they are from zero, and by 1 at least: samplers need a number.
    """
    found = {}
    for constraint in constraints:
        value = values.get(constraint.metric)
        if constraint.max is not None:
            excess = _unknown(constraint.max) if value is None else value - constraint.max
            found[f"{constraint.metric} max"] = excess
        if constraint.min is not None:
            excess = _unknown(constraint.min) if value is None else constraint.min - value
            found[f"{constraint.metric} min"] = excess
    return found


def violation_of(values: Mapping[str, float], constraints: Sequence[MetricConstraint]) -> float:
    """Return the sum of what a trial's metrics are beyond their bounds, as Optuna's samplers compare it; 0: nothing."""
    return total_violation(excesses(values, constraints).values())


def total_violation(excesses: Iterable[float]) -> float:
    """Return the same of what is known to be beyond each bound; what is no number is infinitely far beyond."""
    return sum(math.inf if math.isnan(excess) else max(0.0, excess) for excess in excesses)


def why_infeasible(values: Mapping[str, float], constraints: Sequence[MetricConstraint]) -> str:
    """Return which bounds a trial does not keep; empty: it keeps all."""
    broken = [name for name, excess in excesses(values, constraints).items() if excess > 0]
    bounds = {f"{each.metric} max": ("above", each.max) for each in constraints}
    bounds |= {f"{each.metric} min": ("below", each.min) for each in constraints}
    return ", ".join(_broken(name.rpartition(" ")[0], values, *bounds[name]) for name in broken)


def _broken(metric: str, values: Mapping[str, float], side: str, bound: float | None) -> str:
    if metric not in values:
        return f"`{metric}` of `metricConstraints` was not reported"
    return f"`{metric}` {values[metric]:g} is {side} {bound:g}"


def _unknown(bound: float) -> float:
    return max(1.0, abs(bound))
