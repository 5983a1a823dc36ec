"""An operator that starts on a machine whose clock is an hour off: deadlines hold as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.stage import Stage

NOWHERE = {"spec": {"nodeSelector": {"there-is": "none"}, "containers": [{"name": "trainer", "image": "trainer"}]}}
"""A pod template that fits on no node."""


@contextmanager
def started_with_a_clock(on: Stage, seconds_ahead: float) -> Iterator[None]:
    """Let the operator start anew where the time is another one."""
    restarts = on.deployment.restarts
    on.operator.shift_clock(seconds_ahead)
    on.operator.crash()
    on.wait(lambda: on.deployment.restarts > restarts, 30, "the operator starts anew")
    try:
        on.operator.wait_ready()
        yield
    finally:
        on.operator.shift_clock(0)


def test_a_clock_that_is_ahead_fails_no_trial_that_is_about_to_start(on: Stage) -> None:
    with started_with_a_clock(on, 3600):
        on.apply("ahead", maxTrials=3, parallelism=3, trial={"deadlines": {"start": "60s", "run": "60s"}})
        counts = on.wait_ended("ahead")["status"]["trials"]
    assert (counts["complete"], counts["failed"]) == (3, 0)
    assert on.violated_now() == []


def test_a_clock_that_is_behind_lets_no_trial_wait_for_ever(on: Stage) -> None:
    with started_with_a_clock(on, -3600):
        on.apply("behind", maxTrials=1, parallelism=1, trial={"deadlines": {"start": "3s"}, "template": NOWHERE})
        (trial,) = on.wait_ended("behind")["status"]["recent"]
    assert trial["reason"] == "StartDeadlineExceeded"
    assert on.violated_now() == []
