"""Operators that reach the API server through the fault proxy, and what keeps them running."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from tests.chart.helm import Helm
from tests.control_plane.operator_process import InstalledOperator
from tests.support.control_plane import ControlPlane
from tests.support.processes import ProcessFailed
from tuning_operator.fault_points import VARIABLE

SHIFTED_CLOCK = Path(__file__).with_name("shifted_clock")
LEASE_SECONDS = {"DURATION": "3", "RENEW_DEADLINE": "2"}
"""Shorter than installed, so that a suite of kills does not wait for Leases; long enough for a busy machine."""


class FaultyOperator(InstalledOperator):
    """An operator that a test breaks."""

    def __init__(
        self,
        control_plane: ControlPlane,
        helm: Helm,
        namespace: str,
        folder: Path,
        name: str,
        *,
        storage_url: str,
        api_url: str,
        service_url: str,
    ) -> None:
        self._folder, self._api_url, self._service_url = folder, api_url, service_url
        self._clock = folder / f"{name}-clock"
        self._clock.write_bytes(bytes(8))
        self.defects = ""
        """What stays switched on over restarts, in the words of TUNING_FAULTS."""
        self._armed = ""
        super().__init__(control_plane, helm, namespace, folder, name, storage_url)

    @property
    def report_url(self) -> str:
        """Where its own report endpoint is."""
        return f"http://127.0.0.1:{self.report_port}"

    def arm(self, faults: str) -> None:
        """Let the next process, and only that one, end or freeze at a fault point."""
        self._armed = faults

    def start(self) -> None:
        """Start the process, armed if that was asked for."""
        armed, self._armed = self._armed, ""
        self.environment[VARIABLE] = ",".join(filter(None, (self.defects, armed)))
        super().start()

    def crash(self) -> None:
        """Send SIGKILL and leave the rest to whoever keeps it running; a process that has just ended is fine."""
        self.send(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process as a machine that swaps does."""
        self.send(signal.SIGSTOP)

    @property
    def is_frozen(self) -> bool:
        """Whether it has stopped, by a test or at a fault point."""
        try:
            state = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessFailed, OSError):
            return False
        return state == "T"

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process lives."""
        with contextlib.suppress(ProcessFailed, ProcessLookupError):
            os.kill(self._process.pid, number)

    def shift_clock(self, seconds: float) -> None:
        """Let the process's clock be ahead by so much, from now on; negative: behind."""
        with self._clock.open("r+b") as file:
            file.write(struct.pack("d", seconds))

    def _settings(self, name: str) -> dict[str, str]:
        settings = super()._settings(name)
        return {
            **settings,
            **{f"TUNING_OPERATOR_LEASE_{part}": seconds for part, seconds in LEASE_SECONDS.items()},
            "KUBECONFIG": str(self._through_proxy(Path(settings["KUBECONFIG"]), name)),
            "TUNING_OPERATOR_REPORT_URL": self._service_url,
            "TUNING_OPERATOR_RESYNC_SECONDS": "5",
            "TUNING_OPERATOR_RELIST_SECONDS": "10",
            "PYTHONPATH": str(SHIFTED_CLOCK),
            "FAULTS_CLOCK": str(self._clock),
        }

    def _through_proxy(self, kubeconfig: Path, name: str) -> Path:
        config = yaml.safe_load(kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = self._api_url
        own = self._folder / f"kubeconfig-{name}.yaml"
        own.touch(mode=0o600)
        own.write_text(yaml.safe_dump(config))
        return own


class Deployment:
    """Keeps operators running, as a kubelet does: one that ended starts again. A context manager.

    `on_death` is called with one that ended, before it starts again.
    """

    def __init__(self, operators: Sequence[FaultyOperator], on_death: Callable[[FaultyOperator], None]) -> None:
        self.operators = operators
        self._on_death = on_death
        self._wanted = {operators[0].name}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_running, name="deployment", daemon=True)
        self.restarts = 0

    @property
    def running(self) -> list[FaultyOperator]:
        """The replicas that are to run."""
        return [operator for operator in self.operators if operator.name in self._wanted]

    def scale(self, replicas: int) -> None:
        """Let so many operators run; those above end by SIGTERM."""
        with self._lock:
            self._wanted = {operator.name for operator in self.operators[:replicas]}
            for operator in self.operators[replicas:]:
                operator.thaw()
                operator.terminate()

    def __enter__(self) -> Deployment:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        for operator in self.operators:
            operator.thaw()
            operator.terminate()

    def _keep_running(self) -> None:
        while not self._stopping.wait(0.1):
            with self._lock:
                for operator in self.running:
                    if not operator.running:
                        operator.kill()  # what is left of its process group
                        self._on_death(operator)
                        operator.start()
                        self.restarts += 1
