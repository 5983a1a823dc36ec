"""Child processes that end with the process that started them, however that one ends: see `guard`."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from .guard import guard, kill_group


class ProcessFailed(Exception):
    """A child process did not start, or ended early; the message carries the end of its log."""


class ManagedProcess:
    """One program that can be started, killed, frozen and started again, always with the same arguments.

    It leads a process group of its own and appends its output to `log_file`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_file: Path,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log_file = log_file
        self.wanted = False
        """Whether it was started and not ended by `kill` or `terminate` since: it runs, or it failed."""
        self._environment = environment
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The pid of the running process. Raises ProcessFailed when it isn't running."""
        self.check()
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the program; does nothing when it runs already."""
        self.wanted = True
        if not self.running:
            with self.log_file.open("ab") as log:
                self._process = self._fork(log)
            guard.watch(self._process.pid)

    def _fork(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=None if self._environment is None else dict(self._environment),
            cwd=self._directory,
            start_new_session=True,
        )

    def check(self) -> None:
        """Raises ProcessFailed with the end of the log when the process is not running."""
        if not self.running:
            how = "it was not started" if self._process is None else f"exit code {self._process.returncode}"
            raise ProcessFailed(f"{self.name} is not running ({how}). Its log ends with:\n{self.log_tail()}")

    def kill(self) -> None:
        """SIGKILL to the whole process group; returns when the process is gone."""
        self.wanted = False
        if self._process is not None:
            kill_group(self._process.pid)
            self._process.wait()
            guard.forget(self._process.pid)
            self._process = None

    def terminate(self, grace_s: float) -> None:
        """SIGTERM, then SIGKILL to what is left of the group after `grace_s` seconds."""
        if self._process is None:
            return
        kill_group(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        self.kill()

    def pause(self) -> None:
        """Freezes the process (SIGSTOP): its sockets stay open and nobody answers."""
        kill_group(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a `pause`."""
        kill_group(self.pid, signal.SIGCONT)

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of the log, for error messages."""
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])


_reservations: list[socket.socket] = []
_dice = random.SystemRandom()  # tests and trainers seed the other one: then two processes would draw the same ports


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports of 127.0.0.1 on which nobody listens, for this process until it ends.

    They lie below the range that Linux gives to outgoing connections: a port of that range could be taken by any client
    while a killed server is away. The UDP port of the same number stays bound, which tells other test processes that
    the port is given away: its server may listen only seconds later.
    """
    ports: list[int] = []
    deadline = time.monotonic() + 10
    while len(ports) < count:
        port = _dice.randrange(20_000, 32_000)
        reservation = socket.socket(type=socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            if time.monotonic() > deadline:
                raise
            continue
        _reservations.append(reservation)
        ports.append(port)
    return ports
