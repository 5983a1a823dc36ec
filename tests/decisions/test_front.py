"""The Pareto front: which complete trials are on it, and which of them are shown."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests.builders import finished
from tuning_operator.api.status import MAX_FRONT
from tuning_operator.decisions.front import NO_FRONT, Front, Losses


def _front(*points: Losses) -> Front:
    front = NO_FRONT
    for number, losses in enumerate(points):
        front = front.with_trial(finished(number), losses)
    return front


def _random_points(objectives: int, count: int, seed: int) -> list[Losses]:
    rng = random.Random(seed)
    return [tuple(round(rng.random(), 1 + seed % 3) for _ in range(objectives)) for _ in range(count)]


@pytest.mark.parametrize("objectives", [2, 3, 5])
@pytest.mark.parametrize("seed", range(10))
def test_it_has_exactly_the_points_that_no_other_one_is_better_than(objectives: int, seed: int) -> None:
    points = _random_points(objectives, 80, seed)
    expected = {
        point
        for point in points
        if not any(other != point and all(a <= b for a, b in zip(other, point, strict=True)) for other in points)
    }
    assert [member.losses for member in _front(*points).members] == sorted(expected)


def test_of_trials_with_equal_values_it_has_the_earliest_whichever_ended_first() -> None:
    front = NO_FRONT
    for number in (4, 2, 7):
        front = front.with_trial(finished(number), (1.0, 1.0))
    assert [member.trial.number for member in front.members] == [2]


def test_one_that_does_not_join_changes_nothing() -> None:
    front = _front((1.0, 2.0), (2.0, 1.0))
    assert front.with_trial(finished(9), (2.0, 2.0)) is front


def test_a_trial_that_keeps_the_constraints_beats_all_that_do_not_and_less_violation_beats_more() -> None:
    front = NO_FRONT.with_trial(finished(0), (0.0, 0.0), violation=5.0)
    front = front.with_trial(finished(1), (1.0, 1.0), violation=2.0)
    front = front.with_trial(finished(2), (0.0, 0.0), violation=3.0)
    assert [member.trial.number for member in front.members] == [1]
    assert not front.is_feasible
    front = front.with_trial(finished(3), (9.0, 9.0)).with_trial(finished(4), (0.0, 0.0), violation=0.1)
    assert [member.trial.number for member in front.members] == [3]
    assert front.is_feasible


def test_a_small_front_is_shown_whole_the_best_in_the_first_objective_first() -> None:
    front = _front((2.0, 1.0), (1.0, 2.0))
    assert [trial.number for trial in front.shown] == [1, 0]
    assert [member.trial.number for member in front.ideal] == [1, 0]


@pytest.mark.parametrize("count", [MAX_FRONT + 1, 300, 5000])
def test_of_a_large_front_the_best_in_each_objective_and_others_far_apart_are_shown(count: int) -> None:
    firsts = [1000 * (number / (count - 1)) ** 2 for number in range(count)]
    front = _front(*((first, 1000 - first) for first in firsts))
    shown = [firsts[trial.number] for trial in front.shown]
    assert len(front.members) == count
    assert len(set(shown)) == MAX_FRONT
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0.0, 1000.0)
    gaps = [after - before for before, after in pairwise(shown)]
    assert max(gaps) < 200, "crowded at one end, they are shown evenly"


def test_values_that_a_float_can_hardly_hold_are_shown_all_the_same() -> None:
    huge = 1.7e308
    front = _front(*((huge * (number / 12 - 1), huge * (1 - number / 12)) for number in range(MAX_FRONT + 5)))
    assert len(front.shown) == MAX_FRONT
