"""What a user does with studies: apply, wait, look, delete, all with kubectl."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.control_plane.operator_process import wait_for
from tests.support.control_plane import ControlPlane

EXAMPLES = Path(__file__).parents[2] / "examples"


class Studies:
    """The studies of one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.namespace = namespace
        self._control_plane = control_plane

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        """Call kubectl in the namespace."""
        return self._control_plane.kubectl("--namespace", self.namespace, *arguments, input=input)

    def apply_example(self, name: str) -> None:
        """Apply a file of examples/."""
        self.kubectl("apply", "-f", str(EXAMPLES / f"{name}.yaml"))

    def apply(self, name: str, script: str, **spec: Any) -> None:
        """Apply a small study whose trials run a Python script."""
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump(small_study(name, script, **spec)))

    def patch(self, name: str, spec: dict[str, Any]) -> None:
        """Change a study's spec."""
        self.kubectl("patch", "tuningstudy", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def get(self, name: str) -> dict[str, Any]:
        """Return a study."""
        study: dict[str, Any] = json.loads(self.kubectl("get", "tuningstudy", name, "-o", "json"))
        return study

    def status(self, name: str) -> dict[str, Any]:
        """Return a study's status; empty before the operator wrote one."""
        status: dict[str, Any] = self.get(name).get("status", {})
        return status

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Return a condition; empty when it is not there."""
        conditions = self.status(name).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})

    def wait(self, name: str, condition: str, seconds: float = 120, status: str = "True") -> dict[str, Any]:
        """Wait for a condition's status; return the condition."""
        wait_for(
            lambda: self.condition(name, condition).get("status") == status,
            seconds,
            lambda: f"{name} is not {condition}={status}: {json.dumps(self.status(name), indent=1)}",
        )
        return self.condition(name, condition)

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """Return the Jobs of a study that still exist."""
        uid = self.get(name)["metadata"]["uid"]
        return self.jobs_of(uid)

    def jobs_of(self, uid: str) -> list[dict[str, Any]]:
        """Return the Jobs of a study's uid that exist."""
        selector = f"tuning-operator.io/study-uid={uid}"
        jobs: list[dict[str, Any]] = json.loads(self.kubectl("get", "jobs", "-l", selector, "-o", "json"))["items"]
        return jobs

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return (reason, note) of a study's Events."""
        listed = json.loads(self.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
        about = [event for event in listed if event.get("regarding", {}).get("name") == name]
        return [(event["reason"], event.get("note", "")) for event in about]

    def pods(self, name: str) -> dict[int, str]:
        """Return trial -> name of its pod."""
        selector = f"tuning-operator.io/study-uid={self.get(name)['metadata']['uid']}"
        found = json.loads(self.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]
        return {int(pod["metadata"]["labels"]["tuning-operator.io/trial"]): pod["metadata"]["name"] for pod in found}

    def disrupt(self, pod: str, reason: str) -> None:
        """Do what the scheduler and the controllers do to a pod that must go: a condition, then its deletion."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # one from long ago would be taken back at once
        condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "lastTransitionTime": now}
        patch = json.dumps({"status": {"conditions": [condition]}})
        self.kubectl("patch", "pod", pod, "--subresource=status", "--type=strategic", "-p", patch)
        self.kubectl("delete", "pod", pod, "--wait=false")

    def suspend_job(self, job: str, value: bool) -> None:
        """What Kueue does to preempt a Job, and to admit it."""
        self.kubectl("patch", "job", job, "--type=merge", "-p", json.dumps({"spec": {"suspend": value}}))

    def wait_held(self, job: str, seconds: float) -> None:
        """Wait until a Job has been suspended for so long."""
        wait_for(lambda: self._held_seconds(job) > seconds, 60, lambda: f"the Job {job} is not held")

    def _held_seconds(self, job: str) -> float:
        conditions = json.loads(self.kubectl("get", "job", job, "-o", "json"))["status"].get("conditions", [])
        since = next((each["lastTransitionTime"] for each in conditions if each["type"] == "Suspended"), None)
        return 0.0 if since is None else (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()

    def evict(self, pod: str) -> None:
        """What `kubectl drain` does."""
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction"
        self.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))


def small_study(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """Return a study of three quick trials that run a script with the SDK imported as `tuning`."""
    command = ["python", "-c", "import tuning_trainer as tuning\n" + textwrap.dedent(script)]
    container = {"name": "trainer", "image": "trainer:1", "command": command}
    trial = spec.pop("trial", {})
    return {
        "apiVersion": "tuning-operator.io/v1alpha1",
        "kind": "TuningStudy",
        "metadata": {"name": name},
        "spec": {
            "objectives": [{"metric": "score", "direction": "Maximize"}],
            "parameters": [{"name": "x", "type": "Float", "low": 0, "high": 1}],
            "search": {"sampler": {"name": "Random"}, "seed": 1},
            "maxTrials": 3,
            "parallelism": 2,
            "trial": {"template": {"spec": {"containers": [container]}}, **trial},
            **spec,
        },
    }
