"""Ends what this process has started, however this process ends, also by `kill -9`.

A guard is a small process that reads from this process the ids of process groups and the names of folders. When the
pipe ends, because this process closed it or is gone, it kills the groups that are still on its list and removes the
folders. A parent-death signal would not do: it reaches neither grandchildren (a trial's data loaders) nor anything
outside Linux, and it fires when the forking *thread* ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path


class Guard:
    """The list of what must not outlive this process. Starts its process with the first entry."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """Puts a process group on the list."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Takes a group that has ended off the list, before its id can belong to somebody else."""
        self._tell(f"-{group}\n")

    def remove(self, folder: Path) -> None:
        """Puts a folder on the list; it may be gone by then."""
        self._tell(f"{folder.resolve()}\n")

    def close(self) -> None:
        """Kills the groups and removes the folders on the list."""
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
    folders: list[Path] = []
    for line in lines:
        if line.startswith("/"):
            folders.append(Path(line.rstrip("\n")))
        else:
            change = groups.add if line.startswith("+") else groups.discard
            change(int(line[1:]))
    for group in groups:
        kill_group(group)
    for folder in folders:
        _remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(20):  # a killed process may write for a moment
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)


guard = Guard()
"""The guard of this process."""

if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _guard(sys.stdin)
