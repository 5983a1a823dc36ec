"""What a user does with studies: apply, wait, look, delete; acts are kubectl's."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.api.studies import study
from tests.control_plane.operator_process import wait_for
from tests.support.control_plane import ControlPlane

EXAMPLES = Path(__file__).parents[2] / "examples"


class Studies:
    """The studies of one namespace.

    What is looked at is asked of the API server itself: tests look ten times a second, and kubectl would take half a
    core for that.
    """

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
        study: dict[str, Any] = self._get("apis/tuning-operator.io/v1alpha1", f"tuningstudies/{name}")
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

    def job(self, name: str) -> dict[str, Any]:
        """Return a Job by its own name."""
        job: dict[str, Any] = self._get("apis/batch/v1", f"jobs/{name}")
        return job

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """Return the Jobs of a study that still exist."""
        uid = self.get(name)["metadata"]["uid"]
        return self.jobs_of(uid)

    def jobs_of(self, uid: str) -> list[dict[str, Any]]:
        """Return the Jobs of a study's uid that exist."""
        return self._list("apis/batch/v1", f"jobs?{_of_study(uid)}")

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return (reason, note) of a study's Events."""
        listed = self._list("apis/events.k8s.io/v1", "events")
        about = [event for event in listed if event.get("regarding", {}).get("name") == name]
        return [(event["reason"], event.get("note", "")) for event in about]

    def pods(self, name: str) -> dict[int, str]:
        """Return trial -> name of its pod."""
        found = self.pods_of(self.get(name)["metadata"]["uid"])
        return {int(pod["metadata"]["labels"]["tuning-operator.io/trial"]): pod["metadata"]["name"] for pod in found}

    def pods_of(self, uid: str) -> list[dict[str, Any]]:
        """Return the pods of a study's uid that exist."""
        return self._list("api/v1", f"pods?{_of_study(uid)}")

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

    def _get(self, version: str, path: str) -> Any:
        return self._control_plane.api.get(f"/{version}/namespaces/{self.namespace}/{path}")

    def _list(self, version: str, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._get(version, path)["items"]
        return items


def _of_study(uid: str) -> str:
    return f"labelSelector=tuning-operator.io/study-uid={uid}"


def small_study(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """Return a study of three quick trials that run a script with the SDK imported as `tuning`."""
    command = ["python", "-c", "import tuning_trainer as tuning\n" + textwrap.dedent(script)]
    container = {"name": "trainer", "image": "trainer:1", "command": command}
    trial = spec.pop("trial", {})
    fields = {
        "objectives": [{"metric": "score", "direction": "Maximize"}],
        "search": {"sampler": {"name": "Random"}, "seed": 1},
        "maxTrials": 3,
        "parallelism": 2,
        "trial": {"template": {"spec": {"containers": [container]}}, **trial},
    }
    return study(name, **{**fields, **spec})
