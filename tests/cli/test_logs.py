"""`tuning logs`, of trials on the cluster and on this machine."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cli.api_server import ApiServer
from tests.cli.workplace import Workplace, study_document, until


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr("tuning_operator.cli.cluster_log.SECONDS", 0.01)


def pod(name: str, trial: int = 1, attempt: int = 1, **status: Any) -> dict[str, Any]:
    """Return a pod of the study."""
    labels = {"study-uid": "12345678-1234", "trial": str(trial), "attempt": str(attempt)}
    metadata = {
        "name": name,
        "namespace": "team",
        "creationTimestamp": "2027-01-15T08:00:00Z",
        "labels": {f"tuning-operator.io/{key}": value for key, value in labels.items()},
    }
    return {"metadata": metadata, "status": {"phase": "Running", **status}}


@pytest.fixture
def study(server: ApiServer) -> dict[str, Any]:
    """The cluster's study, which has two trials."""
    study = server.studies["team/quick"]
    study["status"]["trials"] = {"total": 2}
    return study


def test_the_log_of_the_newest_attempt_is_printed_as_it_is(
    workplace: Workplace, server: ApiServer, study: dict[str, Any]
) -> None:
    server.pods = [pod("old"), pod("new", attempt=10), pod("older", attempt=9), pod("other", trial=0)]
    server.logs = {"new": "step 1\n\x1b[1mstep 2\x1b[0m ✔"}
    called = workplace.call("logs", "quick", "1")
    assert (called.status, called.out, called.err) == (0, server.logs["new"], "")


WAITING = {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}
UNSCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]}


@pytest.mark.parametrize(
    ("status", "why"),
    [(WAITING, "ImagePullBackOff: no such image"), (UNSCHEDULED, "Unschedulable: 0/3"), ({}, "Pending")],
)
def test_a_pod_that_does_not_run_yet_is_told_with_its_reason(
    workplace: Workplace, server: ApiServer, study: dict[str, Any], status: dict[str, Any], why: str
) -> None:
    server.pods = [pod("new", phase="Pending", **status)]
    called = workplace.call("logs", "quick", "1")
    assert called.status == 1
    assert called.err == f"error: the pod new of trial 1 does not run yet ({why}); -f waits for it\n"


def test_following_waits_for_the_pod(workplace: Workplace, server: ApiServer, study: dict[str, Any]) -> None:
    steps = iter([[], [pod("new", phase="Pending")], [pod("new")]])
    server.on_pods = lambda: setattr(server, "pods", next(steps))
    server.logs = {"new": "at last\n"}
    assert workplace.call("logs", "quick", "1", "-f").out == "at last\n"


@pytest.mark.parametrize("arguments", [["1"], ["1", "-f"]])
def test_a_trial_whose_job_is_gone_is_told(
    workplace: Workplace, server: ApiServer, study: dict[str, Any], arguments: list[str]
) -> None:
    study["status"]["recent"] = [{"number": 1, "state": "Complete", "parameters": {}}]
    called = workplace.call("logs", "quick", *arguments)
    assert called.status == 1
    assert "trial 1 has no pod: a Job that ended stays for 1h with its log, see trial.ttlAfterFinished" in called.err


def test_a_trial_that_does_not_exist_is_told(workplace: Workplace, study: dict[str, Any]) -> None:
    assert workplace.call("logs", "quick", "2").err == "error: the study quick has no trial 2; it has 0 to 1 so far\n"


def test_somebody_who_may_not_read_pods_is_told(workplace: Workplace, server: ApiServer, study: dict[str, Any]) -> None:
    server.refusals["/pods"] = 403
    called = workplace.call("logs", "quick", "1")
    assert (called.status, called.err) == (1, "error: the server says 403\n")


def test_a_local_log_is_printed(workplace: Workplace) -> None:
    workplace.write(study_document())
    workplace.call("run", "study.yaml")
    called = workplace.call("logs", "study.yaml", "0")
    assert called.status == 0
    assert called.out.startswith("training with {")
    called = workplace.call("logs", "study.yaml", "5")
    assert (called.status, called.err) == (1, "error: the study quick has no trial 5; it has 0 to 4 so far\n")


def test_a_local_log_is_followed_until_the_trial_ends(workplace: Workplace) -> None:
    (workplace.path / "train.py").write_text((workplace.path / "train.py").read_text() + "\nprint('the end')\n")
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.pids()) == 2, "two trials run")
        with workplace.start("logs", "study.yaml", "0", "-f") as logs:
            until(lambda: logs.has_said("training with"), "the beginning is printed")
            time.sleep(0.1)
            workplace.let_go()
            called = logs.end()
        run.end()
    assert called.status == 0
    assert called.out.endswith("the end\n")
