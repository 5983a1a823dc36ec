"""Each fault on a study of short trials: the study ends, and nothing is lost, doubled or left over."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.faults.faults import FAULTS
from tests.faults.stage import Stage
from tuning_operator.fault_points import Point

KILLED_AFTER = {f"operator killed after {point}" for point in Point}
"""In test_operator_killed.py, all in one study."""
ON_POSTGRESQL = ("two operators", "database away")
"""An operator that freezes with the lock of SQLite in its hand leaves nothing to the second one; and servers die."""
ELSEWHERE = {*KILLED_AFTER, "two operators", "API answers 403 to Jobs"}
"""The last one costs half a minute, for a refused Job waits for a person; `make chaos` has the time."""
ALONE = [name for name in FAULTS if name not in ELSEWHERE]


BROKEN_SECONDS = 1.0
"""How long a fault lasts: longer than a request is tried again by itself."""


def play(on: Stage, fault: str, chance: Random) -> None:
    """Run a study, and break something in its middle; the study has the fault's name."""
    name = fault.lower().replace(" ", "-")
    # Only its Job tells of a pod that fails, and that a watch is silent is found out after more than a minute.
    failing = 0.0 if fault == "watches silenced" else 0.1
    on.apply(name, trainer={"steps": 2, "failing": failing}, maxTrials=10, parallelism=4)
    on.wait_trials(name, 1)
    with FAULTS[fault](on, chance):
        time.sleep(BROKEN_SECONDS)
    if fault != "study deleted":
        on.wait_ended(name)
    assert on.violated_now() == []


@pytest.mark.parametrize("fault", ALONE)
def test_a_study_outlives(on: Stage, chance: Random, fault: str) -> None:
    play(on, fault, chance)


def test_nothing_is_lost_doubled_or_left_over(on: Stage) -> None:
    """Of all these studies; it comes after them."""
    assert on.violated_at_rest() == []


@pytest.mark.parametrize("fault", ON_POSTGRESQL)
def test_a_study_in_postgresql_outlives(on_postgresql: Stage, chance: Random, fault: str) -> None:
    play(on_postgresql, fault, chance)
    assert on_postgresql.violated_at_rest() == []
