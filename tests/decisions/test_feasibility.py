"""Whether trials keep the bounds of metrics."""

from __future__ import annotations

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.decisions.feasibility import excesses, violation_of, why_infeasible

BOUNDS = [
    MetricConstraint(metric="latency", max=20),
    MetricConstraint(metric="speed", min=10, max=100),
]


def test_a_trial_within_all_bounds_violates_nothing() -> None:
    values = {"latency": 20.0, "speed": 10.0}
    assert violation_of(values, BOUNDS) == 0
    assert why_infeasible(values, BOUNDS) == ""
    assert excesses(values, BOUNDS) == {"latency max": 0.0, "speed max": -90.0, "speed min": 0.0}


def test_what_lies_beyond_a_bound_is_summed_up_and_named() -> None:
    values = {"latency": 25.0, "speed": 7.0}
    assert violation_of(values, BOUNDS) == 8.0
    assert why_infeasible(values, BOUNDS) == "`latency` 25 is above 20, `speed` 7 is below 10"


def test_a_metric_that_was_never_reported_breaks_its_bounds() -> None:
    assert violation_of({"speed": 50.0}, BOUNDS) == 20.0
    assert why_infeasible({"speed": 50.0}, BOUNDS) == "`latency` of `metricConstraints` was not reported"
    assert violation_of({}, [MetricConstraint(metric="latency", max=0)]) == 1.0, "a bound at zero is broken too"
