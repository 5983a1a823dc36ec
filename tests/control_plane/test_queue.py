"""Jobs that a queue holds back, lets go and preempts, as Kueue does it."""

from __future__ import annotations

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

REPORTS = "SELECT step FROM tuning_reports WHERE study_uid NOT IN (SELECT study_uid FROM tuning_trial_events)"
"""What studies reported that have not ended."""


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
    studies.suspend_job(job["metadata"]["name"], True)
    shown(studies, "waiting")
    seconds_held = 10  # longer than the start deadline, whose clock stands
    studies.wait_held(job["metadata"]["name"], seconds_held)
    assert studies.status("queued")["trials"]["failed"] == 0
    studies.suspend_job(job["metadata"]["name"], False)
    studies.wait("queued", "Complete")
    assert studies.status("queued")["best"]["job"] == job["metadata"]["name"], "the same attempt went on"
    requests = control_plane.audit_log.events(user=operator.user, since=since)
    assert not [request for request in requests if request.resource == "jobs" and request.verb in ("patch", "update")]


def test_what_a_job_held_before_its_queue_took_the_pod_outlives_the_operator(
    studies: Studies, operator: InstalledOperator
) -> None:
    script = SCRIPT.replace("range(1, 4)", "range(1, 7)")
    studies.apply("kept", script, maxTrials=1, parallelism=1, trial={"queue": {"kueue": "gpu-queue"}})
    wait_for(lambda: len(operator.query(REPORTS)) >= 5, 60, lambda: "the trial does not report")
    (job,) = studies.jobs("kept")
    studies.suspend_job(job["metadata"]["name"], True)
    wait_for(lambda: studies.status("kept")["trials"]["waiting"] == 1, 60, lambda: str(studies.status("kept")))
    held = studies.status("kept")["usage"]["trialHours"]
    operator.terminate()
    operator.start()
    operator.wait_ready()
    studies.suspend_job(job["metadata"]["name"], False)
    studies.wait("kept", "Complete")
    seconds = 3600 * (studies.status("kept")["usage"]["trialHours"] - held)
    assert seconds > 5, "the second pod's six reports, 1.5 s apart, come on top"
