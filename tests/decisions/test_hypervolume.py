"""How much a front has achieved."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.builders import finished
from tuning_operator.decisions.front import NO_FRONT, Front, Losses
from tuning_operator.decisions.hypervolume import NO_HYPERVOLUME, REFERENCE_TRIALS, Hypervolume, volume_of


def _after(points: list[Losses], violations: list[float] | None = None) -> tuple[Front, list[Hypervolume]]:
    """Return the front, and what was achieved after each trial."""
    front, achieved = NO_FRONT, [NO_HYPERVOLUME]
    for number, losses in enumerate(points):
        grown = front.with_trial(finished(number), losses, violations[number] if violations else 0.0)
        achieved.append(achieved[-1].after(losses, front, grown))
        front = grown
    return front, achieved[1:]


def _by_counting(points: list[Losses], reference: Losses) -> float:
    """The volume of whole numbers, cell by cell."""
    cells = itertools.product(*(range(int(end)) for end in reference))
    return sum(any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in points) for cell in cells)


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_it_is_the_volume_of_what_some_point_is_better_than(objectives: int, seed: int) -> None:
    rng = random.Random(seed)
    points = [tuple(float(rng.randrange(14)) for _ in range(objectives)) for _ in range(15)]
    reference = (12.0,) * objectives
    assert volume_of(points, reference) == _by_counting(points, reference)


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_adding_up_the_gain_of_each_trial_gives_the_volume_of_the_front(objectives: int, seed: int) -> None:
    rng = random.Random(seed)
    points = [tuple(round(rng.random(), 1 + seed % 3) for _ in range(objectives)) for _ in range(100)]
    front, achieved = _after(points)
    last = achieved[-1]
    assert last.volume == pytest.approx(volume_of([member.losses for member in front.members], last.reference))


def test_the_reference_point_is_a_tenth_beyond_the_worst_of_the_first_trials_and_stays() -> None:
    points = [(float(number), 10.0 - number) for number in range(REFERENCE_TRIALS)]
    _, achieved = _after([*points, (50.0, 0.5), (-1.0, 50.0)])
    assert [bool(each.reference) for each in achieved] == [False] * (REFERENCE_TRIALS - 1) + [True] * 3
    assert all(each.reference == pytest.approx((9.9, 10.9)) for each in achieved[REFERENCE_TRIALS - 1 :])


def test_it_never_shrinks_and_trials_beyond_the_reference_point_add_nothing() -> None:
    rng = random.Random(5)
    _, achieved = _after([(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(200)])
    volumes = [each.volume for each in achieved]
    assert volumes == sorted(volumes)
    before = achieved[-1]
    assert (
        before.after((-9.0, before.reference[1] + 1), NO_FRONT, NO_FRONT.with_trial(finished(), (-9.0, 1.0))) == before
    )


def test_trials_that_violate_the_constraints_count_for_the_reference_point_only() -> None:
    points = [(float(number), 10.0 - number) for number in range(REFERENCE_TRIALS)]
    _, achieved = _after([*points, (0.0, 0.0), (1.0, 1.0)], [1.0] * (REFERENCE_TRIALS + 1) + [0.0])
    assert [each.volume for each in achieved[-3:-1]] == [0.0, 0.0]
    assert achieved[-1].volume == pytest.approx((9.9 - 1) * (10.9 - 1))


def test_of_more_than_three_objectives_there_is_none() -> None:
    rng = random.Random(5)
    _, achieved = _after([tuple(rng.random() for _ in range(4)) for _ in range(30)])
    assert achieved[-1] == NO_HYPERVOLUME
