"""A trial's value from its reports."""

from __future__ import annotations

import math

import pytest

from tuning_operator.api.study import Direction, Reduce
from tuning_operator.decisions.trial_value import reduce_values

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE


@pytest.mark.parametrize("how", list(Reduce))
@pytest.mark.parametrize("direction", list(Direction))
def test_without_reports_there_is_no_value(how: Reduce, direction: Direction) -> None:
    assert reduce_values({}, how, direction) is None


@pytest.mark.parametrize(
    ("how", "direction", "expected"),
    [(Reduce.LAST, MAX, 0.5), (Reduce.BEST, MAX, 1.0), (Reduce.BEST, MIN, 0.0), (Reduce.MEAN, MIN, 0.5)],
)
def test_the_steps_order_counts_not_the_order_of_arrival(how: Reduce, direction: Direction, expected: float) -> None:
    assert reduce_values({3: 0.5, 1: 1.0, 2: 0.0}, how, direction) == expected


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_the_best_value_is_finite_as_long_as_any_is(broken: float) -> None:
    assert reduce_values({1: 0.5, 2: broken}, Reduce.BEST, MAX) == 0.5
    only = reduce_values({1: broken}, Reduce.BEST, MAX)
    assert only is not None
    assert not math.isfinite(only)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("how", [Reduce.LAST, Reduce.MEAN])
def test_a_value_that_is_not_finite_shows_in_the_last_and_the_mean(how: Reduce, broken: float) -> None:
    value = reduce_values({1: 0.5, 2: broken}, how, MIN)
    assert value is not None
    assert not math.isfinite(value)


def test_the_mean_of_opposite_infinities_is_not_a_number() -> None:
    value = reduce_values({1: math.inf, 2: -math.inf}, Reduce.MEAN, MAX)
    assert value is not None
    assert math.isnan(value)
