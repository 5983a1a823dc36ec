"""The checks find what they are there to find: an operator with a deliberate defect violates an invariant."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random

from tests.faults.faults import FAULTS
from tests.faults.stage import Stage
from tuning_operator.fault_points import Defect

Defective = Callable[[Defect], AbstractContextManager[Stage]]


def test_without_a_defect_nothing_is_found_for_that_nothing_is_looked_for(on: Stage) -> None:
    on.apply("flawless")
    on.wait_ended("flawless")
    assert on.violated_at_rest() == []
    now = on.look()
    assert [trial.number for trial in now.storage.of_study(on.get("flawless")["metadata"]["uid"])] == list(range(12))
    assert sum(told.step is not None for told in now.acknowledged) >= 12 * 3


def test_two_jobs_of_an_attempt_are_found(defective: Defective) -> None:
    with defective(Defect.DOUBLE_LAUNCH) as on:
        on.apply("doubled", trainer={"seconds": 0.5})
        on.wait_trials("doubled", 2)
        assert "an_attempt_has_one_job" in " ".join(on.violated_now())


def test_reports_that_were_acknowledged_and_not_stored_are_found(defective: Defective, chance: Random) -> None:
    with defective(Defect.ACK_BEFORE_COMMIT) as on:
        on.apply("forgotten", trainer={"seconds": 0.5})
        on.wait_trials("forgotten", 1)
        with FAULTS["database away"](on, chance):
            time.sleep(1)
            on.operator.crash()
        assert "acknowledged_reports_are_stored" in " ".join(on.violated_now())
