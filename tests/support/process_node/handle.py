"""Starts a process node beside a control plane."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from ..api_client import ApiRefused
from ..control_plane import ControlPlane
from ..processes import ManagedProcess

ROOMY = {"cpu": "256", "memory": "1Ti", "ephemeral-storage": "1Ti", "pods": "2000"}
"""Capacity that never limits: nothing is enforced, the processes share this machine."""

GPU = "nvidia.com/gpu"

_ROOT = Path(__file__).parents[3]
_DEADLINE_S = 60.0


class ProcessNode:
    """One node, in a process of its own that ends with the test process, as do the pods' processes.

    - `gpus`: how many GPUs the node offers. They are a number only.
    - `image_commands`: image (with or without tag) -> what it runs when a pod has no command.
    - `environment`: variables of every process besides PATH, HOME, HOSTNAME, LANG and OMP_NUM_THREADS=1.
    - `simulation`: `module:function`, an `async (pod, log) -> exit code` that stands for all commands, for benchmarks
      with hundreds of pods; see `containers.Simulation`.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        name: str = "process-node",
        gpus: int = 0,
        image_commands: Mapping[str, Sequence[str]] | None = None,
        environment: Mapping[str, str] | None = None,
        simulation: str | None = None,
    ) -> None:
        self.name = name
        self._control_plane = control_plane
        folder = control_plane.files.folder
        options = {
            "kubeconfig": str(control_plane.files.kubeconfig("process-node")),
            "name": name,
            "work-directory": str(folder / name),
            "capacity": json.dumps({**ROOMY, GPU: str(gpus)}),
            "image-commands": json.dumps({image: list(words) for image, words in (image_commands or {}).items()}),
            "environment": json.dumps(dict(environment or {})),
        }
        if simulation is not None:
            options["simulation"] = simulation
        command = [sys.executable, "-m", "tests.support.process_node", *(f"--{key}={options[key]}" for key in options)]
        self.process = ManagedProcess(name, command, folder / f"{name}.log", directory=_ROOT)

    def start(self) -> None:
        """Returns when the scheduler can use the node. Raises ProcessFailed or TimeoutError with the end of the log."""
        self.process.start()
        deadline = time.monotonic() + _DEADLINE_S
        while not self._is_registered():
            self.process.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is not registered:\n{self.process.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the node with all its processes, and removes the Node object."""
        self.process.terminate(grace_s=5)
        with contextlib.suppress(ApiRefused, OSError):
            self._control_plane.api.delete(self._path)

    def kill(self) -> None:
        """SIGKILL, as in a power cut: its pods' processes end, their status stays. `start` brings the node back."""
        self.process.kill()

    def set_gpus(self, count: int) -> None:
        """Changes how many GPUs the node offers; pods that run keep theirs."""
        offered = {GPU: str(count)}
        status = {"capacity": offered, "allocatable": offered}
        self._control_plane.api.merge_patch(f"{self._path}/status", {"status": status})

    def __enter__(self) -> ProcessNode:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _path(self) -> str:
        return f"/api/v1/nodes/{self.name}"

    def _is_registered(self) -> bool:
        try:
            node = self._control_plane.api.get(self._path)
        except (ApiRefused, OSError):
            return False
        return bool(node.get("status", {}).get("conditions")) and not node["spec"].get("taints")
