"""The node's main loop: follows the pods that are bound to it, one task per pod."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .api import ApiServer, Listed
from .log_server import serve_logs
from .node_object import register
from .pod_runner import NodeOptions, PodRunner

logger = logging.getLogger(__name__)


class Node:
    """Runs the pods whose `spec.nodeName` is `name`."""

    def __init__(self, api: ApiServer, name: str, options: NodeOptions) -> None:
        self._api = api
        self._name = name
        self._options = options
        self._runners: dict[str, PodRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, capacity: Mapping[str, str], certificates: Path) -> None:
        """Registers the node and runs its pods until it is cancelled; all their processes end with it."""
        try:
            async with serve_logs(self._find, certificates) as port:
                await register(self._api, self._name, capacity, port)
                async for change in self._api.follow("/api/v1/pods", f"spec.nodeName={self._name}"):
                    if isinstance(change, Listed):
                        self._replace(change.objects)
                    elif change.deleted:
                        self._forget(change.object["metadata"]["uid"])
                    else:
                        self._observe(change.object)
        finally:
            for uid in list(self._tasks):
                self._forget(uid)

    def _find(self, namespace: str, name: str) -> PodRunner | None:
        for runner in self._runners.values():
            if (runner.pod["metadata"]["namespace"], runner.pod["metadata"]["name"]) == (namespace, name):
                return runner
        return None

    def _replace(self, pods: list[dict[str, Any]]) -> None:
        for gone in self._runners.keys() - {pod["metadata"]["uid"] for pod in pods}:
            self._forget(gone)
        for pod in pods:
            self._observe(pod)

    def _observe(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        runner = self._runners.get(metadata["uid"])
        if runner is None:
            runner = self._runners[metadata["uid"]] = PodRunner(self._api, pod, self._options)
            task = asyncio.create_task(runner.run(), name=f"{metadata['namespace']}/{metadata['name']}")
            task.add_done_callback(_log_failure)
            self._tasks[metadata["uid"]] = task
        runner.pod = pod
        if "deletionTimestamp" in metadata:
            runner.request_deletion(float(metadata.get("deletionGracePeriodSeconds", 0)))

    def _forget(self, uid: str) -> None:
        self._runners.pop(uid, None)
        if task := self._tasks.pop(uid, None):
            task.cancel()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (failure := task.exception()):
        logger.error("the node failed to run pod %s", task.get_name(), exc_info=failure)
