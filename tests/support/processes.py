"""Child processes that end with the process that started them, however that one ends.

Linux sends a child its parent-death signal when the *thread* that forked it ends, not the process. All children are
therefore forked by one thread that lives as long as the interpreter, and setpriv (util-linux) sets the signal: a
preexec_fn would run Python between fork and exec, which can deadlock beside other threads. Where setpriv is missing
(macOS) children are only ended by `kill`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_SETPRIV = shutil.which("setpriv")
_FORKS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forks-children")


class ProcessFailed(Exception):
    """A child process did not start, or ended early; the message carries the end of its log."""


def with_death_signal(command: Sequence[str]) -> list[str]:
    """The command such that the kernel kills it when the thread that starts it ends."""
    return [_SETPRIV, "--pdeathsig", "KILL", *command] if _SETPRIV else list(command)


def kill_group(pid: int, sent: signal.Signals = signal.SIGKILL) -> None:
    """Signals the process group led by `pid`; a group that is gone already is fine."""
    try:
        os.killpg(pid, sent)
    except ProcessLookupError:
        return


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
            self._process = _FORKS.submit(self._fork).result()

    def _fork(self) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                with_death_signal(self.command),
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
            code = None if self._process is None else self._process.returncode
            raise ProcessFailed(f"{self.name} is not running (exit code {code}). Its log ends with:\n{self.log_tail()}")

    def kill(self) -> None:
        """SIGKILL to the whole process group; returns when the process is gone."""
        self.wanted = False
        if self._process is not None:
            kill_group(self._process.pid)
            self._process.wait()

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


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports of 127.0.0.1 on which nobody listens.

    They lie below the range that Linux gives to outgoing connections: a port of that range could be taken by any client
    while a killed server is away.
    """
    ports: set[int] = set()
    deadline = time.monotonic() + 10
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                if time.monotonic() > deadline:
                    raise
                continue
        ports.add(port)
    return list(ports)
