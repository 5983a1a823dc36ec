"""The points where a test ends the operator: they do what the variable says, and nothing without it."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys

import pytest

from tuning_operator.fault_points import VARIABLE, Defect, InvalidFaults, Point, arm, has, reach

REACH_THREE_TIMES = """
from tuning_operator.fault_points import Point, arm, reach
arm()
for count in (1, 2, 3):
    reach(Point.JOB_CREATED)
    print(count, flush=True)
"""


def reached(faults: str) -> subprocess.CompletedProcess[str]:
    """Run a process that reaches a point three times."""
    command = [sys.executable, "-c", REACH_THREE_TIMES]
    return subprocess.run(command, env={VARIABLE: faults}, capture_output=True, text=True, check=False)


def test_a_process_ends_when_it_reaches_the_point_for_the_nth_time() -> None:
    done = reached("kill:job-created:2")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "1\n")


def test_a_point_that_is_not_named_is_passed() -> None:
    done = reached("kill:job-deleted:1")
    assert (done.returncode, done.stdout) == (0, "1\n2\n3\n")


def test_nothing_is_switched_on_without_the_variable(caplog: pytest.LogCaptureFixture) -> None:
    arm({})
    for point in Point:
        reach(point)
    assert not any(has(defect) for defect in Defect)
    assert caplog.records == []


def test_what_is_switched_on_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    arm({VARIABLE: "defect:double-launch"})
    assert has(Defect.DOUBLE_LAUNCH)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "defect:double-launch" in caplog.text
    arm({})
    assert not has(Defect.DOUBLE_LAUNCH)


@pytest.mark.parametrize("faults", ["kill:no-such-point", "defect:no-such-defect", "kill:job-created:often", "help"])
def test_what_does_not_exist_is_refused_with_what_does(faults: str) -> None:
    with pytest.raises(InvalidFaults, match="kill:job-created"):
        arm({VARIABLE: faults})
    arm({})
