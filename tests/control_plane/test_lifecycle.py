"""What is left of a study that ended, was deleted, or is created again; the operator may be down meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies, small_study

REPORT = """
trial = tuning.current_trial()
trial.report({"score": trial.parameters["x"]}, step=1)
"""
RUNS_ON = "import time\n" + REPORT + "time.sleep(600)"
IGNORES_ITS_PRUNING = """
import time
trial = tuning.current_trial()
for step in range(1, 600):
    trial.report({"score": -step if trial.number else step}, step=step)
    if trial.number == 0 and step == 3:
        break
    time.sleep(0.2)
"""
HANGS_ONCE = (
    "import os, time\n"
    + REPORT
    + "time.sleep(600 if trial.number in (1, 2) and os.environ['TUNING_ATTEMPT'] == '1' else 0)"
)
RESUME = "tuning-operator.io/resume"


@pytest.fixture(autouse=True)
def running_operator(operator: InstalledOperator) -> None:
    """All of these have an operator."""


def pods(studies: Studies, uid: str) -> list[dict[str, Any]]:
    """Return the pods of a study's uid that are not over."""
    return [pod for pod in studies.pods_of(uid) if pod["status"]["phase"] in ("Pending", "Running")]


def uid_of(studies: Studies, name: str) -> str:
    """Return a study's uid."""
    return str(studies.get(name)["metadata"]["uid"])


def wait_running(studies: Studies, operator: InstalledOperator, name: str, count: int) -> None:
    """Wait until so many trials run."""
    wait_for(lambda: studies.status(name).get("trials", {}).get("running") == count, 90, operator.log)


def attempts(jobs: list[dict[str, Any]]) -> set[tuple[int, int]]:
    """Return (trial, attempt) of Jobs."""
    labels = [job["metadata"]["labels"] for job in jobs]
    return {(int(each["tuning-operator.io/trial"]), int(each["tuning-operator.io/attempt"])) for each in labels}


def stored(operator: InstalledOperator, uid: str) -> int:
    """Return how many rows the storage has of a uid."""
    (studies,) = operator.query("SELECT count(*) FROM studies WHERE study_name LIKE '%/' || ?", uid)
    (reports,) = operator.query("SELECT count(*) FROM tuning_reports WHERE study_uid = ?", uid)
    (events,) = operator.query("SELECT count(*) FROM tuning_trial_events WHERE study_uid = ?", uid)
    return int(studies[0] + reports[0] + events[0])


def create_again(studies: Studies, name: str, script: str, **spec: Any) -> None:
    """Create a study that resumes an earlier one of its name."""
    document = small_study(name, script, **spec)
    document["metadata"]["annotations"] = {RESUME: "true"}
    studies.kubectl("create", "-f", "-", input=yaml.safe_dump(document))


def test_a_complete_study_leaves_no_running_pod(studies: Studies, operator: InstalledOperator) -> None:
    pruner = {"name": "Median", "options": {"nStartupTrials": 1}}
    search = {"sampler": {"name": "Random"}, "seed": 1, "pruner": pruner}
    studies.apply("ended", IGNORES_ITS_PRUNING, search=search, parallelism=1, trial={"pruneGrace": "1s"})
    studies.wait("ended", "Complete")
    assert studies.status("ended")["trials"]["pruned"] == 2
    uid = uid_of(studies, "ended")
    wait_for(lambda: pods(studies, uid) == [], 60, lambda: str(pods(studies, uid)))
    assert studies.kubectl("wait", "tuningstudy/ended", "--for=condition=Complete", "--timeout=5s")


def test_a_deleted_study_keeps_its_history_and_nothing_else(studies: Studies, operator: InstalledOperator) -> None:
    studies.apply("retained", RUNS_ON)
    wait_running(studies, operator, "retained", 2)
    uid = uid_of(studies, "retained")
    studies.kubectl("delete", "tuningstudy", "retained", "--timeout=30s")
    wait_for(lambda: studies.jobs_of(uid) == [] and pods(studies, uid) == [], 60, lambda: str(studies.jobs_of(uid)))
    assert stored(operator, uid) > 0


def test_a_history_goes_with_its_study_if_the_policy_says_so(studies: Studies, operator: InstalledOperator) -> None:
    studies.apply("deleted", RUNS_ON, deletionPolicy="Delete")
    wait_running(studies, operator, "deleted", 2)
    uid = uid_of(studies, "deleted")
    assert stored(operator, uid) > 0
    studies.kubectl("delete", "tuningstudy", "deleted", "--timeout=30s")
    wait_for(lambda: stored(operator, uid) == 0, 60, operator.log)
    wait_for(lambda: studies.jobs_of(uid) == [] and pods(studies, uid) == [], 60, lambda: str(studies.jobs_of(uid)))


def test_the_policy_may_be_changed_until_the_end(studies: Studies, operator: InstalledOperator) -> None:
    studies.apply("changed", REPORT, deletionPolicy="Delete")
    studies.apply("changed-too", REPORT)
    for name, policy in (("changed", "Retain"), ("changed-too", "Delete")):
        studies.wait(name, "Complete")
        studies.patch(name, {"deletionPolicy": policy})
    kept, deleted = uid_of(studies, "changed"), uid_of(studies, "changed-too")
    studies.kubectl("delete", "tuningstudy", "changed", "changed-too", "--timeout=30s")
    wait_for(lambda: stored(operator, deleted) == 0, 60, operator.log)
    assert stored(operator, kept) > 0


def test_nothing_is_left_of_a_study_that_is_deleted_while_the_operator_is_down(
    studies: Studies, operator: InstalledOperator
) -> None:
    studies.apply("unseen", RUNS_ON, deletionPolicy="Delete")
    studies.apply("survivor", REPORT, deletionPolicy="Delete")
    wait_running(studies, operator, "unseen", 2)
    studies.wait("survivor", "Complete")
    uid, surviving = uid_of(studies, "unseen"), uid_of(studies, "survivor")
    operator.kill()
    studies.kubectl("delete", "tuningstudy", "unseen", "--timeout=30s")
    wait_for(lambda: studies.jobs_of(uid) == [] and pods(studies, uid) == [], 60, lambda: str(studies.jobs_of(uid)))
    assert stored(operator, uid) > 0
    operator.start()
    operator.wait_ready()
    wait_for(lambda: stored(operator, uid) == 0, 60, operator.log)
    assert stored(operator, surviving) > 0


@pytest.mark.parametrize("down", [False, True], ids=["the operator runs", "the operator is down meanwhile"])
def test_a_study_that_is_created_again_goes_on_where_it_was(
    studies: Studies, operator: InstalledOperator, down: bool
) -> None:
    name = f"again-{down}".lower()
    studies.apply(name, HANGS_ONCE, maxTrials=4)
    wait_for(lambda: studies.status(name).get("trials", {}).get("complete") == 1, 90, operator.log)
    wait_running(studies, operator, name, 2)
    old = uid_of(studies, name)
    if down:
        operator.kill()
    studies.kubectl("delete", "tuningstudy", name, "--timeout=30s")
    create_again(studies, name, HANGS_ONCE, maxTrials=4)
    if down:
        operator.start()
        operator.wait_ready()
    studies.wait(name, "Complete")
    assert studies.status(name)["trials"]["complete"] == 4
    assert [reason for reason, _ in studies.events(name)].count("HistoryResumed") == 1
    assert attempts(studies.jobs(name)) == {(1, 2), (2, 2), (3, 1)}
    wait_for(lambda: studies.jobs_of(old) == [], 60, lambda: str(studies.jobs_of(old)))


def test_another_search_is_not_resumed_and_its_way_out_works(studies: Studies, operator: InstalledOperator) -> None:
    studies.apply("other-space", REPORT)
    studies.wait("other-space", "Complete")
    old = uid_of(studies, "other-space")
    studies.kubectl("delete", "tuningstudy", "other-space", "--timeout=30s")
    parameters = [{"name": "x", "type": "Float", "low": 0, "high": 2}]
    create_again(studies, "other-space", REPORT, parameters=parameters)
    accepted = studies.wait("other-space", "Accepted", status="False")
    assert accepted["reason"] == "NotResumable"
    assert "the parameter `x` differs from the study's stored history" in accepted["message"]
    assert studies.jobs("other-space") == []
    studies.kubectl("annotate", "tuningstudy", "other-space", f"{RESUME}-")
    studies.wait("other-space", "Complete")
    assert studies.status("other-space")["trials"]["complete"] == 3
    assert stored(operator, old) > 0
