"""Jobs that a queue holds back, lets go and preempts, as Kueue does it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies
from tests.support.control_plane import ControlPlane

SCRIPT = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
trial = tuning.current_trial()
for step in range(1, 4):
    trial.report({"score": step / 10}, step=step)
    time.sleep(1.5)
"""
"""Another exit code could be taken for the Job's failure: the Job controller may look before the pod is gone."""


def suspend(studies: Studies, job: str, value: bool) -> None:
    """What Kueue does to admit a Job, and to preempt it."""
    studies.kubectl("patch", "job", job, "--type=merge", "-p", json.dumps({"spec": {"suspend": value}}))


def shown(studies: Studies, state: str) -> None:
    wait_for(
        lambda: studies.status("queued").get("trials", {}).get(state) == 1, 60, lambda: str(studies.status("queued"))
    )


def test_a_preempted_job_waits_and_goes_on(
    studies: Studies, operator: InstalledOperator, control_plane: ControlPlane
) -> None:
    since = control_plane.audit_log.position()
    trial: dict[str, Any] = {"queue": {"kueue": "gpu-queue", "priorityClass": "low"}, "deadlines": {"start": "8s"}}
    studies.apply("queued", SCRIPT, maxTrials=1, parallelism=1, trial=trial)
    shown(studies, "running")
    (job,) = studies.jobs("queued")
    labels = job["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "gpu-queue"
    assert labels["kueue.x-k8s.io/priority-class"] == "low"
    suspend(studies, job["metadata"]["name"], True)
    shown(studies, "waiting")
    seconds_held = 10  # longer than the start deadline, whose clock stands
    wait_for(lambda: held_for(studies, job["metadata"]["name"]) > seconds_held, 60, lambda: "the Job is not held")
    assert studies.status("queued")["trials"]["failed"] == 0
    suspend(studies, job["metadata"]["name"], False)
    studies.wait("queued", "Complete")
    assert studies.status("queued")["best"]["job"] == job["metadata"]["name"], "the same attempt went on"
    requests = control_plane.audit_log.events(user=operator.user, since=since)
    assert not [request for request in requests if request.resource == "jobs" and request.verb in ("patch", "update")]


def held_for(studies: Studies, job: str) -> float:
    """Return for how many seconds a Job has been suspended."""
    conditions = studies.job(job)["status"].get("conditions", [])
    since = next((each["lastTransitionTime"] for each in conditions if each["type"] == "Suspended"), None)
    return 0.0 if since is None else (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
