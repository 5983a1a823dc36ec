"""Studies of several objectives on a cluster: what ends them, and what people see of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control_plane.operator_process import InstalledOperator
from tests.control_plane.studies import Studies

OBJECTIVES: list[dict[str, Any]] = [
    {"metric": "score", "direction": "Maximize", "goal": 0.4},
    {"metric": "size", "direction": "Minimize", "goal": 6},
]
SCRIPT = "n = int(__import__('os').environ['TUNING_TRIAL']); tuning.current_trial().report({'score': n / 10}, step=1); "
"""The higher its number, the better a trial is, in both objectives."""
BOTH = SCRIPT + "tuning.current_trial().report({'size': 10 - n, 'latency': 30 - n}, step=2)"


@pytest.fixture(scope="module", autouse=True)
def started(studies: Studies, operator: InstalledOperator) -> None:
    """The studies of this file, started at once."""
    several = {"objectives": OBJECTIVES, "parallelism": 1}
    studies.apply("goals", BOTH, **several, maxTrials=20)
    without_goals = [{**objective, "goal": None} for objective in OBJECTIVES]
    bounds = [{"metric": "latency", "max": 28}]
    studies.apply("bounds", BOTH, **{**several, "objectives": without_goals}, metricConstraints=bounds, maxTrials=4)
    studies.apply("half", SCRIPT, **several, maxTrials=1)


def test_it_ends_when_one_trial_reaches_all_goals(studies: Studies) -> None:
    condition = studies.wait("goals", "Complete")
    assert condition["reason"] == "GoalReached"
    assert condition["message"] == "trial 4 reached score 0.4 and size 6; the goals were 0.4 and 6"
    status = studies.status("goals")
    assert [trial["number"] for trial in status["front"]] == [4]
    assert "front of 1" in studies.kubectl("get", "tuningstudy", "goals")


def test_trials_that_keep_the_bounds_come_first(studies: Studies) -> None:
    studies.wait("bounds", "Complete")
    status = studies.status("bounds")
    assert [trial["number"] for trial in status["front"]] == [3]
    assert status["front"][0]["values"] == {"score": 0.3, "size": 7, "latency": 27}
    assert [trial["message"] for trial in status["recent"]] == [
        "",
        "",
        "`latency` 29 is above 28",
        "`latency` 30 is above 28",
    ]
    assert [(each["metric"], each["number"]) for each in status["objectives"]] == [("score", 3), ("size", 3)]


def test_a_trial_that_reports_one_objective_of_two_fails_and_says_so(studies: Studies) -> None:
    studies.wait("half", "Failed")
    (trial,) = studies.status("half")["recent"]
    assert (trial["state"], trial["reason"]) == ("Failed", "NoObjective")
    assert "without a value of `size`: it reported score" in trial["message"]
