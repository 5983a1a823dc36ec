"""How a study ends early, is stopped by a person, and goes on when a limit is raised."""

from __future__ import annotations

import pytest

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies

QUICK = "tuning.current_trial().report({'score': 0.5}, step=1)"
SLOW = "import time; tuning.current_trial().report({'score': 0.5}, step=1); time.sleep(600)"


@pytest.fixture(scope="module", autouse=True)
def started(studies: Studies, operator: InstalledOperator) -> None:
    """The studies of this file, started at once: they wait side by side."""
    studies.apply("one", SLOW, maxTrials=3, parallelism=1)
    stopping = {"duration": "3s", "onEnd": "Terminate"}
    studies.apply("budget", SLOW, maxTrials=2, parallelism=1, stopping=stopping)
    command = ["python", "-c", f"import tuning_trainer as tuning\n{SLOW}"]
    gpus = {"name": "trainer", "image": "trainer:1", "command": command, "resources": {"limits": {"nvidia.com/gpu": 2}}}
    trial = {"template": {"spec": {"containers": [gpus]}}}
    stopping = {"gpuHours": 0.002, "onEnd": "Terminate"}
    studies.apply("gpus", SLOW, maxTrials=5, parallelism=1, stopping=stopping, trial=trial)
    studies.apply("plateau", QUICK, maxTrials=50, parallelism=1, stopping={"plateau": {"trials": 2}})
    studies.apply("more", QUICK, maxTrials=1, parallelism=1)


def running(studies: Studies, name: str, count: int) -> None:
    wait_for(
        lambda: studies.status(name).get("trials", {}).get("running") == count, 60, lambda: str(studies.status(name))
    )


def no_job_is_active(studies: Studies, name: str) -> None:
    wait_for(lambda: not any(job["status"].get("active") for job in studies.jobs(name)), 60, lambda: "Jobs stay active")


def test_a_person_stops_one_trial_and_the_study_goes_on(studies: Studies) -> None:
    running(studies, "one", 1)
    studies.patch("one", {"stopping": {"trials": [0]}})
    wait_for(lambda: studies.status("one")["trials"]["pruned"] == 1, 60, lambda: str(studies.status("one")))
    assert studies.status("one")["recent"][0]["reason"] == "StoppedByUser"
    running(studies, "one", 1)
    assert studies.status("one")["trials"]["total"] == 2
    studies.patch("one", {"stopping": {"now": "Terminate"}})
    condition = studies.wait("one", "Complete")
    assert condition["reason"] == "StoppedByUser"
    no_job_is_active(studies, "one")


def test_a_time_budget_ends_the_study_and_a_larger_one_revives_it(studies: Studies) -> None:
    condition = studies.wait("budget", "Complete")
    assert condition["reason"] == "DurationReached"
    assert "completionTime" in studies.status("budget")
    no_job_is_active(studies, "budget")
    studies.patch("budget", {"stopping": {"duration": "1h"}})
    assert studies.wait("budget", "Complete", status="False")["reason"] == "Resumed"
    running(studies, "budget", 1)
    assert "completionTime" not in studies.status("budget")
    assert studies.status("budget")["phase"] == "Running"
    studies.patch("budget", {"stopping": {"now": "Terminate"}})
    studies.wait("budget", "Complete")


def test_gpu_hours_end_the_study(studies: Studies) -> None:
    condition = studies.wait("gpus", "Complete")
    assert condition["reason"] == "GpuHoursReached"
    assert studies.status("gpus")["usage"]["gpuHours"] >= 0.002


def test_a_plateau_ends_the_study(studies: Studies) -> None:
    assert studies.wait("plateau", "Complete")["reason"] == "Plateau"
    assert studies.status("plateau")["trials"]["total"] == 3


def test_more_trials_revive_a_complete_study(studies: Studies) -> None:
    studies.wait("more", "Complete")
    studies.patch("more", {"maxTrials": 2})
    wait_for(lambda: studies.status("more")["trials"]["complete"] == 2, 60, lambda: str(studies.status("more")))
    studies.wait("more", "Complete")
