"""The Node object that the scheduler sees."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from .api import MERGE_PATCH, ApiServer, Refused
from .pod_status import timestamp


async def register(api: ApiServer, name: str, capacity: Mapping[str, str], log_port: int) -> None:
    """Creates or takes over the Node and says that it is ready for pods."""
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": _architecture()}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    try:
        await api.request("POST", "/api/v1/nodes", node)
    except Refused as refusal:
        if refusal.status != 409:
            raise
    await api.request(
        "PATCH", f"/api/v1/nodes/{name}/status", {"status": _status(name, capacity, log_port)}, MERGE_PATCH
    )
    # Admission taints every new node as not ready, and no controller of this control plane takes that back.
    await api.request("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}}, MERGE_PATCH)


def _status(name: str, capacity: Mapping[str, str], log_port: int) -> dict[str, Any]:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "ProcessNodeReady",
        "message": "runs pods as processes",
        "lastHeartbeatTime": timestamp(),
        "lastTransitionTime": timestamp(),
    }
    return {
        "capacity": dict(capacity),
        "allocatable": dict(capacity),
        "conditions": [ready],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": log_port}},
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
