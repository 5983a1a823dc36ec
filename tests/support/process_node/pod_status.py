"""The status of a pod as a kubelet would write it: strategic merge patches of `/status`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_ADDRESS = "127.0.0.1"


def timestamp() -> str:
    """Now, as Kubernetes writes times: RFC 3339, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def waiting(pod: Mapping[str, Any], reason: str, message: str) -> dict[str, Any]:
    """Pending: the container can't be created, for `reason`."""
    return _status(pod, "Pending", {"waiting": {"reason": reason, "message": message}}, not_ready="ContainersNotReady")


def running(pod: Mapping[str, Any], started_at: str) -> dict[str, Any]:
    """Running and ready."""
    return _status(pod, "Running", {"running": {"startedAt": started_at}}, not_ready=None)


def ended(
    pod: Mapping[str, Any], exit_code: int, started_at: str | None, reason: str | None = None, message: str = ""
) -> dict[str, Any]:
    """Succeeded or Failed, by the exit code; `reason` is the container's (default Completed or Error)."""
    phase = "Succeeded" if exit_code == 0 else "Failed"
    state = {
        "exitCode": exit_code,
        "reason": reason or ("Completed" if exit_code == 0 else "Error"),
        "startedAt": started_at,
        "finishedAt": timestamp(),
        "containerID": _container_id(pod),
    }
    if message:
        state["message"] = message
    return _status(pod, phase, {"terminated": state}, not_ready="PodCompleted" if exit_code == 0 else "PodFailed")


def _status(pod: Mapping[str, Any], phase: str, state: dict[str, Any], *, not_ready: str | None) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    is_running = "running" in state
    container_status = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "containerID": "" if "waiting" in state else _container_id(pod),
        "ready": is_running,
        "started": is_running,
        "restartCount": 0,
        # A strategic merge patch keeps what isn't named: the other states must be removed.
        "state": {"waiting": None, "running": None, "terminated": None, **state},
    }
    ready = _condition("Ready", not_ready), _condition("ContainersReady", not_ready)
    return {
        "phase": phase,
        "hostIP": _ADDRESS,
        "podIP": _ADDRESS,
        "podIPs": [{"ip": _ADDRESS}],
        "startTime": pod.get("status", {}).get("startTime") or timestamp(),
        "conditions": [_condition("Initialized", None), *ready],
        "containerStatuses": [container_status],
    }


def _condition(kind: str, reason_against: str | None) -> dict[str, Any]:
    status = {"type": kind, "status": "False" if reason_against else "True", "reason": reason_against}
    return {**status, "lastTransitionTime": timestamp()}


def _container_id(pod: Mapping[str, Any]) -> str:
    return f"process://{pod['metadata']['uid']}"
