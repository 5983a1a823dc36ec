"""Starts processes that do not outlive the runner, even when it is killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

_REGISTER = 'trap "" PIPE; echo "+$$" 2>/dev/null >&0; trap - PIPE; exec "$@" </dev/null'
"""A shell that registers its process group at the guard, whose pipe is its input, and then becomes the command.

The command does not run unregistered: were the runner to register it after the start, a kill in between would leave an
orphan. Where the guard has just been killed, the next one is told of the group. The guard waits for the end of its
input, and so for every shell that holds the pipe.
"""


class GuardedStart:
    """The guard's process (see `guard.py`) and what is started under it."""

    def __init__(self) -> None:
        self._guard: asyncio.subprocess.Process | None = None
        self._pipe = -1
        self._groups: set[int] = set()
        """Groups that run, for the next guard: should this one be killed, trials go on."""
        self._starting = asyncio.Lock()

    async def start(
        self, argv: Sequence[str], environment: Mapping[str, str], output: BinaryIO
    ) -> asyncio.subprocess.Process:
        """Start a command as a process group of its own; stdout and stderr go to `output`."""
        async with self._starting:  # several trials start at once, under one guard
            if self._guard is None or self._guard.returncode is not None:
                await self._start_guard()
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _REGISTER,
            "sh",
            *argv,
            env=environment,
            stdin=self._pipe,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self._groups.add(process.pid)
        return process

    def forget(self, group: int) -> None:
        """Take a group that has ended off the guard's list, before its id can belong to somebody else."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    async def close(self) -> None:
        """End the guard, and with it every group that is left."""
        if self._guard is not None:
            os.close(self._pipe)
            await self._guard.wait()
            self._guard = None

    def _tell(self, lines: str) -> None:
        with contextlib.suppress(OSError):  # the guard was killed; the next start makes another one
            os.write(self._pipe, lines.encode())

    async def _start_guard(self) -> None:
        if self._guard is not None:
            os.close(self._pipe)
        reader, self._pipe = os.pipe()
        guard = Path(__file__).with_name("guard.py")
        self._guard = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(guard), stdin=reader, start_new_session=True
        )
        os.close(reader)
        self._tell("".join(f"+{group}\n" for group in self._groups))
