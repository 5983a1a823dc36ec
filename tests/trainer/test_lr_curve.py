"""Which learning rates a curve of losses suggests, against the definitions and against curves whose answer is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuning_trainer.lr_curve import (
    FEWEST_POINTS,
    LRCurve,
    LRPoint,
    RunningMean,
    descents,
    gradient,
    smoothed,
    steepest_descent,
    valley,
    without_lag,
)
from tuning_trainer.lr_range import sweep_rates

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Machines that run tests are busy."""
losses = st.lists(st.floats(-100, 100), min_size=1, max_size=40)

Loss = Callable[[float], float]


def curve(loss: Loss, rates: Sequence[float], noise: float = 0.0, seed: int = 0, diverged: bool = False) -> LRCurve:
    """Return what a sweep over a model with this loss, independent of what went before, would show."""
    chance, mean = random.Random(seed), RunningMean(0.9)
    points = []
    for rate in rates:
        value = loss(rate) + chance.gauss(0, noise)
        points.append(LRPoint(rate, value, mean.add(value)))
    return LRCurve(tuple(points), diverged)


def learning(rate: float) -> float:
    """A loss that falls from 2.3 at rates around 0.01, is smallest at 0.186, and rises from there."""
    return 0.5 + 1.8 / (1 + rate / 0.01) + rate**2


RATES = sweep_rates(1e-7, 2.0, 100)
LOWEST = min(sweep_rates(1e-7, 2.0, 100_000), key=learning)


# Definitions


@unhurried
@given(st.data())
def test_the_gradient_is_numpys_at_any_spacing(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.floats(-100, 100), min_size=2, max_size=20))
    steps = data.draw(st.lists(st.floats(0.01, 10), min_size=len(values), max_size=len(values)))
    places = np.cumsum(steps)
    assert gradient(list(places), values) == pytest.approx(np.gradient(values, places), rel=1e-6, abs=1e-6)


def test_the_gradient_of_a_single_value_is_zero() -> None:
    assert gradient([1.0], [5.0]) == [0.0]
    assert gradient([], []) == []


def _valley_by_its_definition(values: Sequence[float]) -> int:
    lengths = [1] * len(values)
    for i in range(len(values)):
        for j in range(i):
            if values[j] > values[i]:
                lengths[i] = max(lengths[i], lengths[j] + 1)
    longest = max(lengths)
    start = lengths.index(longest) - longest
    return max(0, start + int(longest / 3) + int(longest / 3 / 2))


@unhurried
@given(losses)
def test_the_valley_is_that_of_the_quadratic_definition(values: list[float]) -> None:
    assert valley(values) == _valley_by_its_definition(values)
    assert 0 <= valley(values) < len(values)


@pytest.mark.parametrize(
    ("values", "lengths"),
    [
        ([3, 2, 1], [1, 2, 3]),
        ([1, 2, 3], [1, 1, 1]),
        ([2, 2, 2], [1, 1, 1]),
        ([5, 6, 4, 4, 3, 9, 2], [1, 1, 2, 2, 3, 1, 4]),
    ],
)
def test_the_longest_descent_is_strict_and_may_leave_values_out(values: list[float], lengths: list[int]) -> None:
    assert descents(values) == lengths


@pytest.mark.parametrize("sweep", ["exponential", "linear"])
def test_the_steepest_descent_is_over_the_logarithm_of_the_rate_whatever_the_sweep(sweep: str) -> None:
    rates = sweep_rates(1e-3, 1.0, 1000, sweep)
    falling = [-math.tanh(4 * math.log(rate / 0.1)) for rate in rates]
    assert rates[steepest_descent(rates, falling)] == pytest.approx(0.1, rel=0.01)


@unhurried
@given(losses, st.floats(0, 0.99))
def test_a_running_mean_is_the_weighted_mean_of_what_it_has_seen(values: list[float], beta: float) -> None:
    for place, mean in enumerate(smoothed(values, beta)):
        weights = [beta ** (place - earlier) for earlier in range(place + 1)]
        seen = zip(weights, values, strict=False)
        assert mean == pytest.approx(sum(w * value for w, value in seen) / sum(weights), rel=1e-9, abs=1e-9)


def test_smoothing_both_ways_leaves_a_minimum_where_it_is_and_one_way_does_not() -> None:
    values = [(place - 50) ** 2 for place in range(100)]
    both, lagging = without_lag(values, 0.9), smoothed(values, 0.9)
    assert both.index(min(both)) == pytest.approx(50, abs=1)
    assert lagging.index(min(lagging)) > 55


# Suggestions


def test_a_curve_without_noise_suggests_what_its_formula_says() -> None:
    found = curve(learning, RATES).suggestions()
    assert found is not None
    step = RATES[1] / RATES[0]
    assert LOWEST / 10 / step**2 < found.minimum < LOWEST / 10 * step**2
    assert 0.01 / step**2 < found.steepest < 0.01 * step**2
    fall = learning(1e-7) - learning(LOWEST)
    assert learning(found.range_min * step**2) <= learning(1e-7) - 0.1 * fall < learning(found.range_min / step**2)
    assert learning(found.range_max * step**2) <= learning(1e-7) - 0.9 * fall < learning(found.range_max / step**2)


@pytest.mark.parametrize("seed", range(10))
def test_with_noise_they_are_near(seed: int) -> None:
    found = curve(learning, RATES, noise=0.1, seed=seed).suggestions()
    assert found is not None
    assert found.minimum == pytest.approx(LOWEST / 10, rel=0.6)
    assert 0.002 < found.steepest < 0.05
    assert 0.0002 < found.range_min < 0.003
    assert 0.03 < found.range_max < 0.1


@unhurried
@given(
    st.floats(0.1, 10),
    st.floats(0, 10),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**32),
)
def test_suggestions_depend_neither_on_the_losses_scale_nor_on_the_rates(
    scale: float, shift: float, rate_scale: float, seed: int
) -> None:
    plain = curve(learning, RATES, noise=0.05, seed=seed)
    other = LRCurve(
        tuple(LRPoint(p.learning_rate * rate_scale, p.loss * scale + shift, p.smoothed) for p in plain.points), False
    )
    first, second = plain.suggestions(), other.suggestions()
    assert first is not None
    assert second is not None
    assert astuple(second) == pytest.approx([rate * rate_scale for rate in astuple(first)])


@unhurried
@given(st.lists(st.floats(0, 5), min_size=20, max_size=60), st.booleans())
def test_whatever_the_losses_suggestions_are_rates_of_the_sweep_in_order(values: list[float], diverged: bool) -> None:
    rates = sweep_rates(1e-6, 1.0, len(values))
    found = LRCurve(tuple(map(LRPoint, rates, values, values)), diverged).suggestions()
    if found is not None:
        assert {found.steepest, found.valley, found.range_min} <= set(rates)
        assert any(found.minimum == rate / 10 for rate in rates)
        assert found.range_min <= found.range_max
        assert max(found.steepest, found.valley, found.range_max) <= found.minimum * 10 * (1 + 1e-9)


def test_the_steps_in_which_the_loss_blew_up_do_not_count() -> None:
    calm = curve(learning, RATES[:90])
    mean = RunningMean(0.9)
    blown_up = [LRPoint(rate, 10.0 ** (place + 1), mean.add(1)) for place, rate in enumerate(RATES[90:95])]
    assert LRCurve((*calm.points, *blown_up), diverged=True).suggestions() == LRCurve(calm.points, False).suggestions()


@pytest.mark.parametrize(
    "loss",
    [lambda rate: 2.3, lambda rate: 2.3 + rate, lambda rate: -1.0, lambda rate: 0.0, lambda rate: 2.3 - rate / 1e4],
    ids=["flat", "rising", "negative", "zero", "hardly falling"],
)
def test_a_loss_that_does_not_fall_suggests_nothing(loss: Loss) -> None:
    found = curve(loss, RATES)
    assert found.suggestions() is None
    assert str(found.why_no_suggestion()).startswith("the loss does not fall anywhere from 5.46e-07 to 2 by more than")


@pytest.mark.parametrize("steps", [12, 30, 100, 400])
def test_noise_is_no_fall_and_a_fall_is_no_noise(steps: int) -> None:
    rates = sweep_rates(1e-7, 2.0, steps)
    for loss, falls in ((lambda rate: 2.3, False), (learning, True)):
        found = [curve(loss, rates, 0.1, seed).suggestions() is not None for seed in range(200)]
        assert found.count(not falls) <= 6


def test_a_sweep_of_too_few_steps_says_what_to_do() -> None:
    fewest = curve(learning, sweep_rates(1e-4, 1.0, FEWEST_POINTS))
    assert fewest.suggestions() is not None
    fewer = LRCurve(fewest.points[1:], diverged=False)
    assert fewer.suggestions() is None
    assert fewer.why_no_suggestion() == "the sweep has too few steps to judge it; take more steps"
    diverged = LRCurve(fewest.points, diverged=True)  # its last step does not count
    assert str(diverged.why_no_suggestion()).endswith("it diverged after 8 steps: begin at a lower rate")
    assert LRCurve((), diverged=True).suggestions() is None
