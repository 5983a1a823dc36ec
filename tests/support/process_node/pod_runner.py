"""The life of one pod on the node, from its binding to its removal."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import pod_status
from .api import STRATEGIC_PATCH, ApiServer, Refused
from .containers import KILLED, Container, ProcessContainer, ProgramMissing, SimulatedContainer, Simulation
from .expansion import CannotStart, command_line, environment
from .pod_log import PodLog

UNPULLABLE = "does-not-exist"
"""An image whose name contains this can't be pulled."""

OUT_OF_MEMORY = "out-of-memory"
"""An image whose name contains this has a memory limit that its container reaches whenever SIGKILL ends it."""

START_ERROR = 128
"""Exit code that containerd reports for a program that is missing."""

_PULL_BACK_OFF_AFTER_S = 0.2


@dataclass(frozen=True)
class NodeOptions:
    """What is the same for all pods of a node."""

    work_directory: Path
    """Each pod gets a folder below it as working directory and HOME."""
    base_environment: Mapping[str, str]
    """Variables of every process; the pod's own win. Must contain PATH."""
    image_commands: Mapping[str, Sequence[str]]
    """Image, with or without tag -> what it runs when the pod has no command."""
    simulation: Simulation | None
    """Runs in place of the pods' commands."""


class PodRunner:
    """Runs one pod. `run` is a task of its own; the rest tells it what the API server says about the pod."""

    def __init__(self, api: ApiServer, pod: dict[str, Any], options: NodeOptions) -> None:
        self.pod = pod
        self.log = PodLog()
        self.has_started = False
        self._api = api
        self._options = options
        self._path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        self._directory = options.work_directory / str(pod["metadata"]["uid"])
        self._container: Container | None = None
        self._deletion = asyncio.Event()

    async def run(self) -> None:
        """Ends when the pod is to be removed; the node cancels it when the pod is gone."""
        try:
            phase = self.pod.get("status", {}).get("phase")
            if phase == "Running":
                await self._report_lost()
            elif phase not in ("Succeeded", "Failed") and not await self._live():
                await self._deletion.wait()
                await self._report_lost()
            await self._deletion.wait()
            await self._remove()
        finally:
            self.log.close()
            if self._container is not None:
                self._container.kill()
            shutil.rmtree(self._directory, ignore_errors=True)

    def request_deletion(self, grace_s: float) -> None:
        """The pod was deleted with a grace period; may be called again with a shorter one."""
        self._deletion.set()
        if self._container is not None:
            self._container.stop(grace_s)

    async def _live(self) -> bool:
        """Runs the container to its end. False when it never started and waits, as it does for an unpullable image."""
        if self._deletion.is_set():
            return False
        try:
            self._container = await self._start()
        except CannotStart as problem:
            await self._report(pod_status.waiting(self.pod, problem.reason, str(problem)))
            return False
        except ProgramMissing as problem:
            await self._report(pod_status.ended(self.pod, START_ERROR, None, "StartError", str(problem)))
            return True
        started_at = pod_status.timestamp()
        self.has_started = True
        if self._deletion.is_set():  # it came while the container was being started
            self._container.stop(float(self.pod["metadata"].get("deletionGracePeriodSeconds", 0)))
        await self._report(pod_status.running(self.pod, started_at))
        exit_code = await self._container.wait()
        self.log.close()
        oom_killed = exit_code == KILLED and OUT_OF_MEMORY in self.pod["spec"]["containers"][0]["image"]
        await self._report(pod_status.ended(self.pod, exit_code, started_at, "OOMKilled" if oom_killed else None))
        return True

    async def _start(self) -> Container:
        container = self.pod["spec"]["containers"][0]
        if UNPULLABLE in container["image"]:
            await self._report_unpullable(container["image"])
        if self._options.simulation is not None:
            return SimulatedContainer(self._options.simulation, self.pod, self.log)
        own = await environment(container, self.pod, self._lookup)
        command = command_line(container, own, self._options.image_commands)
        self._directory.mkdir(parents=True, exist_ok=True)
        base = {**self._options.base_environment, "HOME": str(self._directory)}
        variables = {**base, "HOSTNAME": self.pod["metadata"]["name"], **own}
        return await ProcessContainer.start(command, variables, self._directory, self.log)

    async def _report_unpullable(self, image: str) -> None:
        message = f'failed to pull and unpack image "{image}": not found'
        await self._report(pod_status.waiting(self.pod, "ErrImagePull", message))
        await asyncio.sleep(_PULL_BACK_OFF_AFTER_S)
        raise CannotStart("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {message}')

    async def _report_lost(self) -> None:
        """There is no container, because it never started or because it ended with the node's predecessor."""
        message = "The container could not be located when the pod was terminated"
        status = pod_status.ended(self.pod, KILLED, None, "ContainerStatusUnknown", message)
        await self._report(status)

    async def _lookup(self, plural: str, name: str) -> dict[str, str] | None:
        try:
            found = await self._api.request(
                "GET", f"/api/v1/namespaces/{self.pod['metadata']['namespace']}/{plural}/{name}"
            )
        except Refused as refusal:
            if refusal.status != 404:
                raise
            return None
        data: dict[str, str] = found.get("data", {})
        if plural == "secrets":
            return {key: base64.b64decode(value).decode() for key, value in data.items()}
        return data

    async def _report(self, status: dict[str, Any]) -> None:
        """Writes the status; a pod that is gone, or another of the same name, is left alone."""
        body = {"metadata": {"uid": self.pod["metadata"]["uid"]}, "status": status}
        await self._tolerant("PATCH", f"{self._path}/status", body, STRATEGIC_PATCH)

    async def _remove(self) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod["metadata"]["uid"]}}
        await self._tolerant("DELETE", self._path, options)

    async def _tolerant(self, method: str, path: str, body: Any, content_type: str = "application/json") -> None:
        try:
            await self._api.request(method, path, body, content_type)
        except Refused as refusal:
            if refusal.status not in (404, 409):
                raise
