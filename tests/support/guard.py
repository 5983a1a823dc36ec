"""Ends what this process has started, however this process ends, also by `kill -9`.

A guard is a small process that reads from this process the ids of process groups. When the pipe ends, because this
process closed it or is gone, it kills the groups that are still on its list. A parent-death signal would not do: it
reaches neither grandchildren (a trial's data loaders) nor anything outside Linux, and it fires when the forking
*thread* ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable


class Guard:
    """The list of process groups that must not outlive this process. Starts its process with the first one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """Puts a process group on the list."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Takes a group that has ended off the list, before its id can belong to somebody else."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Kills the groups on the list."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _tell(self, line: str) -> None:
        if self._process is None:
            command = [sys.executable, "-I", "-S", __file__]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
            atexit.register(self.close)
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())


def kill_group(group: int, sent: signal.Signals = signal.SIGKILL) -> None:
    """Signals a process group; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, sent)


def _guard(lines: Iterable[str]) -> None:
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    for group in groups:
        kill_group(group)


guard = Guard()
"""The guard of this process."""

if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _guard(sys.stdin)
