"""Pods that are evicted, killed, lost, silent or never start: each trial's failure has its name, and most go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies
from tests.support.control_plane import ControlPlane

WAIT_ON_THE_FIRST_ATTEMPT = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(3), os._exit(143)))
trial = tuning.current_trial()
first = os.environ["TUNING_ATTEMPT"] == "1"
for step in (1, 2) if first else (3,):
    trial.report({"score": step / 10}, step=step)
time.sleep(600 if first else 0)
"""
"""Reports two steps and waits to be cut off, which takes it some seconds; the next attempt reports the third."""

SILENT = """
import time
tuning.current_trial().report({"score": 0.5}, step=1)
time.sleep(600)
"""

KILLED = "import os; os.kill(os.getpid(), 9)"

ONE = {"maxTrials": 1, "parallelism": 1}

DISRUPTIONS: dict[str, tuple[Callable[[Studies, str], object], str]] = {
    "evicted": (Studies.evict, "Evicted"),
    "preempted": (lambda studies, pod: studies.disrupt(pod, "PreemptionByScheduler"), "Preempted"),
    "lost": (lambda studies, pod: studies.disrupt(pod, "DeletionByTaintManager"), "NodeLost"),
    "deleted": (lambda studies, pod: studies.kubectl("delete", "pod", pod, "--wait=false"), "Evicted"),
}
"""Study -> what is done to its pod, and what that is called."""


@pytest.fixture(scope="module")
def started(studies: Studies, operator: InstalledOperator) -> Studies:
    """The studies of this file, started and disrupted at once: they wait for the same pauses side by side."""
    for name in DISRUPTIONS:
        studies.apply(name, WAIT_ON_THE_FIRST_ATTEMPT, **ONE)
    studies.apply("error", "raise SystemExit(7)", trial={"retries": {"limit": 1, "reasons": ["Error"]}}, **ONE)
    memory = {"retries": {"limit": 1, "reasons": ["OutOfMemory"]}, "template": template("out-of-memory:1", KILLED)}
    studies.apply("memory", KILLED, trial=memory, **ONE)
    studies.apply("silent", SILENT, trial={"deadlines": {"silence": "2s"}}, **ONE)
    for name, (disruption, _) in DISRUPTIONS.items():
        disruption(studies, pod_of(studies, name))
    return studies


def template(image: str, script: str) -> dict[str, Any]:
    container = {"name": "trainer", "image": image, "command": ["python", "-c", script]}
    return {"spec": {"containers": [container]}}


def pod_of(studies: Studies, name: str) -> str:
    """Wait until a study's only trial has reported; return its pod's name."""
    wait_for(lambda: studies.status(name).get("trials", {}).get("running") == 1, 120, lambda: str(studies.status(name)))
    return studies.pods(name)[0]


def test_a_pod_that_fits_on_no_node_is_shown_with_the_schedulers_words(started: Studies) -> None:
    container = template("trainer:1", "pass")
    container["spec"]["nodeSelector"] = {"accelerator": "none-such"}
    started.apply("unschedulable", "", trial={"template": container, "deadlines": {"start": "20s"}}, **ONE)
    condition = started.wait("unschedulable", "Degraded", 60)
    assert condition["reason"] == "PodsNotStarting"
    assert "didn't match Pod's node affinity/selector" in condition["message"]
    started.wait("unschedulable", "Failed")
    assert started.status("unschedulable")["recent"][0]["reason"] == "StartDeadlineExceeded"


@pytest.mark.parametrize("name", DISRUPTIONS)
def test_a_disrupted_trial_goes_on_with_its_number_parameters_and_history(
    started: Studies, operator: InstalledOperator, name: str
) -> None:
    _, reason = DISRUPTIONS[name]
    started.wait(name, "Complete")
    status = started.status(name)
    assert (status["trials"]["complete"], status["trials"]["failed"]) == (1, 0)
    assert status["best"]["value"] == 0.3, "the last attempt's report"
    assert status["best"]["job"].endswith("-0-2")
    uid = started.get(name)["metadata"]["uid"]
    steps = operator.query("SELECT attempt, step FROM tuning_reports WHERE study_uid = ? ORDER BY 1, 2", uid)
    assert steps == [(1, 1), (1, 2), (2, 3)]
    told = f"{operator.namespace}/{name} trial 0: trial 0 waits for attempt 2, for the one before ended: {reason}"
    assert told in operator.log_file.read_text()


def test_an_error_is_tried_again_where_the_study_says_so_and_then_fails(started: Studies) -> None:
    started.wait("error", "Failed")
    (trial,) = started.status("error")["recent"]
    assert trial["reason"] == "Error"
    assert trial["job"].endswith("-0-2")


def test_a_container_at_its_memory_limit_fails_by_that_name(started: Studies) -> None:
    started.wait("memory", "Failed")
    (trial,) = started.status("memory")["recent"]
    assert trial["reason"] == "OutOfMemory"
    assert trial["job"].endswith("-0-2")


def test_a_silent_trial_fails_and_its_pod_is_deleted(started: Studies) -> None:
    started.wait("silent", "Failed")
    (trial,) = started.status("silent")["recent"]
    assert trial["reason"] == "Silent"
    assert "it reported step 1 last" in trial["message"]
    wait_for(lambda: started.jobs("silent") == [], 60, lambda: "the silent trial's Job stays")


def test_a_quota_without_room_for_pods_is_shown_and_announced_and_waited_out(
    started: Studies, control_plane: ControlPlane
) -> None:
    container = template("trainer:1", "import tuning_trainer as t; t.current_trial().report({'score': 1}, step=1)")
    container["spec"]["priorityClassName"] = "scarce"
    priority = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "scarce"},
        "value": 1,
    }
    control_plane.kubectl("apply", "-f", "-", input=json.dumps({**priority, "value": 1}))
    scope = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["scarce"]}]}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "scarce"}}
    started.kubectl(
        "apply", "-f", "-", input=json.dumps({**quota, "spec": {"hard": {"pods": "0"}, "scopeSelector": scope}})
    )
    started.apply("quota", "", trial={"template": container}, **ONE)
    condition = started.wait("quota", "Degraded", 60)
    assert condition["reason"] == "PodsNotStarting"
    assert "exceeded quota: scarce" in condition["message"]
    wait_for(lambda: "PodsNotStarting" in dict(started.events("quota")), 30, lambda: str(started.events("quota")))
    started.kubectl("delete", "resourcequota", "scarce")
    started.wait("quota", "Complete")
    assert started.condition("quota", "Degraded")["status"] == "False"
