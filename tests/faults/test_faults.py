"""Each fault alone on a study of short trials: the study ends, and nothing is lost, doubled or left over."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.faults.faults import FAULTS
from tests.faults.stage import Stage
from tuning_operator.fault_points import Point

KILLED_AFTER = {f"operator killed after {point}" for point in Point}
"""In test_operator_killed.py, all in one study."""
ALONE = [name for name in FAULTS if name not in KILLED_AFTER]

BROKEN_SECONDS = 1.0
"""How long a fault lasts: longer than a request is tried again by itself."""


def play(on: Stage, fault: str, chance: Random) -> None:
    """Run a study, break something in its middle, and check everything when it has ended."""
    name = fault.lower().replace(" ", "-")
    on.apply(name, trainer={"steps": 2, "failing": 0.1}, maxTrials=10, parallelism=4)
    on.wait_trials(name, 1)
    with FAULTS[fault](on, chance):
        time.sleep(BROKEN_SECONDS)
    if fault != "study deleted":
        on.wait_ended(name)
    assert on.violated_at_rest() == []


@pytest.mark.parametrize("fault", ALONE)
def test_a_study_outlives(on: Stage, chance: Random, fault: str) -> None:
    play(on, fault, chance)


def test_a_study_outlives_a_database_that_is_killed(on_postgresql: Stage, chance: Random) -> None:
    play(on_postgresql, "database away", chance)
