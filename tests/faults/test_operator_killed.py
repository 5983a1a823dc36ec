"""The operator dies right after each kind of side effect, and the study goes on as if nothing had happened."""

from __future__ import annotations

from random import Random

import pytest

from tests.faults.operator_faults import killed_after
from tests.faults.patience import NotReached
from tests.faults.stage import Stage
from tuning_operator.fault_points import Point

pytestmark = pytest.mark.timeout(600)

STUDY = "killed"


@pytest.fixture(scope="module")
def killed(on: Stage) -> dict[Point, bool]:
    """One study through which the operator is killed after each side effect; whether it died where it was to."""
    pruner = {"name": "Median", "options": {"nStartupTrials": 2, "nWarmupSteps": 1}}
    search = {"sampler": {"name": "Random"}, "seed": 1, "pruner": pruner}
    on.apply(STUDY, trainer={"steps": 4, "seconds": 0.3}, maxTrials=500, parallelism=4, search=search)
    died = {}
    for point in Point:
        try:
            with killed_after(point)(on, Random(point)):
                died[point] = True
        except NotReached:
            died[point] = False
    on.patch(STUDY, {"maxTrials": on.ended_trials(STUDY) + 12})  # a few more than may have started meanwhile
    return died


@pytest.mark.parametrize("point", list(Point))
def test_the_operator_dies_after_the_side_effect(killed: dict[Point, bool], point: Point) -> None:
    assert killed[point]


def test_nothing_is_lost_doubled_or_left_over(on: Stage, killed: dict[Point, bool]) -> None:
    on.wait_ended(STUDY)
    assert on.violated_at_rest() == []
