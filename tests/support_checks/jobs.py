"""Jobs as test values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.control_plane import ControlPlane

from .waiting import wait_for

Condition = dict[str, Any]


def job(name: str, *command: str, image: str = "python", gpus: int = 0, **container: Any) -> dict[str, Any]:
    """A Job of one pod that is never retried and fails with any exit code but 0, as a trial's."""
    resources = {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {}
    main = {"name": "main", "image": image, "command": list(command), "resources": resources, **container}
    failing = {"containerName": "main", "operator": "NotIn", "values": [0]}
    template = {
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [main]},
        "metadata": {"labels": {"run": name}},
    }
    spec = {
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": failing}]},
        "template": template,
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


class Jobs:
    """The Jobs and pods of one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._api = control_plane.api
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, body: dict[str, Any]) -> None:
        self._api.create(self._jobs, body)

    def delete(self, name: str) -> None:
        self._api.delete(f"{self._jobs}/{name}")

    def finished(self, name: str) -> Condition:
        """Waits until the Job has finished and returns its condition Complete or Failed."""

        def condition() -> Condition | None:
            found = self._api.get(f"{self._jobs}/{name}").get("status", {}).get("conditions", [])
            return next((each for each in found if each["type"] in ("Complete", "Failed")), None)

        return wait_for(condition, f"Job {name} finishes")

    def pods(self, phase: str | None = None) -> list[dict[str, Any]]:
        pods: list[dict[str, Any]] = self._api.get(self._pods)["items"]
        return [pod for pod in pods if phase is None or pod.get("status", {}).get("phase") == phase]

    def pod(self, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Waits until the Job's only pod is as wanted and returns it."""

        def found() -> dict[str, Any] | None:
            mine = [pod for pod in self.pods() if pod["metadata"]["labels"]["run"] == name]
            return next((pod for pod in mine if holds(pod)), None)

        return wait_for(found, f"the pod of Job {name} is as wanted")

    def running_pod(self, name: str) -> dict[str, Any]:
        return self.pod(name, lambda pod: bool(pod["status"].get("phase") == "Running"))


def container_state(pod: dict[str, Any]) -> dict[str, Any]:
    """The state of the pod's only container: one of waiting, running, terminated."""
    statuses = pod["status"].get("containerStatuses", [])
    return dict(statuses[0]["state"]) if statuses else {}
