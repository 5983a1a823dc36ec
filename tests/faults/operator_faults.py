"""The operator dies, freezes, is replaced, and has a clock that jumps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

from tests.faults.cluster_view import JOBS, is_active
from tests.faults.hand_faults import suspended_study
from tests.faults.patience import NotReached, pick, wait
from tests.faults.stage import Fault, Stage
from tuning_operator.fault_points import Point

ONCE = (Point.STUDY_STORED, Point.LEASE_TAKEN, Point.ATTEMPT_STORED, Point.JOB_DELETED, Point.EVENT_POSTED)
"""Points that a process may reach only once."""
AFTER_SUSPENSION = (Point.ATTEMPT_STORED, Point.JOB_DELETED, Point.EVENT_POSTED)
"""Points that a study reaches, for certain, only when it is suspended."""
IN_A_STEP = (Point.TRIALS_STORED, Point.JOB_CREATED, Point.REPORTS_STORED, Point.END_STORED)
"""Points in the middle of something."""
REACH_SECONDS = 30.0
"""How long an armed operator has to come to its fault point."""


def killed_after(point: Point) -> Fault:
    """Kill the operator right after a side effect."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        restarts = stage.deployment.restarts

        def has_died() -> bool:
            return stage.deployment.restarts >= restarts + 2

        stage.operator.arm(f"kill:{point}:{1 if point in ONCE else chance.randint(1, 2)}")
        stage.operator.crash()
        if point in AFTER_SUSPENSION:
            _suspend_until(has_died, stage, chance)
        wait(has_died, REACH_SECONDS)
        yield

    return fault


@contextmanager
def operator_killed(stage: Stage, chance: Random) -> Iterator[None]:
    """Kill it wherever it is."""
    stage.operator.crash()
    yield


@contextmanager
def operator_terminated(stage: Stage, chance: Random) -> Iterator[None]:
    """End it in order, as a rollout does."""
    stage.operator.terminate()
    yield


@contextmanager
def operator_frozen(stage: Stage, chance: Random) -> Iterator[None]:
    """Stop it for longer than its Lease lasts; then it goes on where it was."""
    stage.operator.freeze()
    try:
        time.sleep(4.5)
        yield
    finally:
        stage.operator.thaw()


@contextmanager
def two_operators(stage: Stage, chance: Random) -> Iterator[None]:
    """The first freezes in the middle of a step, the second takes over, and the first wakes up and goes on."""
    first, second = stage.deployment.operators[:2]
    first.arm(f"freeze:{chance.choice(IN_A_STEP)}:{chance.randint(1, 3)}")
    first.crash()
    try:
        with suppress(NotReached):
            wait(lambda: first.is_frozen, 10)
        first.freeze()  # if there was no such step
        stage.deployment.scale(2)
        wait(lambda: "tuning_active_leader 1.0" in second.metrics(), 30)
        first.thaw()
        yield
    finally:
        first.thaw()
        stage.deployment.scale(1)


def clock_jumps(seconds: float) -> Fault:
    """Set the operator's clock, and later set it right."""

    @contextmanager
    def fault(stage: Stage, chance: Random) -> Iterator[None]:
        stage.operator.shift_clock(seconds)
        try:
            yield
        finally:
            stage.operator.shift_clock(0)

    return fault


def _suspend_until(holds: Callable[[], bool], stage: Stage, chance: Random) -> None:
    """Suspend and resume a study whose Jobs run; an earlier suspension may have left it without."""
    for _ in range(5):
        owner = pick(stage, chance, JOBS, is_active)["metadata"]["ownerReferences"][0]
        with suspended_study(stage, owner["name"], "Terminate"), suppress(NotReached):
            wait(holds, 6)
            return
