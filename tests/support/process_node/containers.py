"""What stands for a pod's container: a process of this machine, or a coroutine that pretends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..guard import guard, kill_group
from .pod_log import PodLog

Simulation = Callable[[Mapping[str, Any], Callable[[str], None]], Awaitable[int]]
"""(pod, log) -> exit code; `log` takes a line without its end. Cancelled when the pod is deleted."""

KILLED = 128 + signal.SIGKILL
TERMINATED = 128 + signal.SIGTERM
_OUTPUT_GRACE_S = 5.0


class ProgramMissing(Exception):
    """The command's program is not on this machine."""


class Container(Protocol):
    """A container that has been started."""

    async def wait(self) -> int:
        """The exit code, 128 plus the signal's number for one that was killed. All output is in the log then."""

    def stop(self, grace_s: float) -> None:
        """Asks it to end, and kills it after the grace."""

    def kill(self) -> None:
        """Ends it and everything that it started."""


class ProcessContainer:
    """A process group whose leader is the pod's command."""

    def __init__(self, process: asyncio.subprocess.Process, log: PodLog, output: int) -> None:
        self._process = process
        self._log = log
        self._output = output
        self._ended = False
        self._exit_code = asyncio.create_task(self._until_the_end())

    @classmethod
    async def start(
        cls, command: Sequence[str], variables: Mapping[str, str], directory: Path, log: PodLog
    ) -> ProcessContainer:
        """Raises ProgramMissing. `variables` is the whole environment."""
        program, *arguments = command
        found = sys.executable if program in ("python", "python3") else shutil.which(program, path=variables["PATH"])
        if found is None:
            raise ProgramMissing(f'exec: "{program}": executable file not found in $PATH')
        # A pipe of our own: with asyncio's, Python 3.11 does not see an exit before all of the group closed the pipe.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                found,
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=dict(variables),
                cwd=directory,
                start_new_session=True,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        guard.watch(process.pid)
        return cls(process, log, reading)

    async def _copy_output(self) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(self._output, "rb", buffering=0)
        )
        try:
            while data := await reader.read(65536):
                self._log.write(data)
        finally:
            transport.close()

    async def _until_the_end(self) -> int:
        output = asyncio.create_task(self._copy_output())
        code = await self._process.wait()
        self.kill()  # what the command left behind ends with it, as in a container
        self._ended = True
        guard.forget(self._process.pid)
        await asyncio.wait({output}, timeout=_OUTPUT_GRACE_S)
        output.cancel()
        return code if code >= 0 else 128 - code

    async def wait(self) -> int:
        # Shielded: the group must be forgotten even when nobody waits any more.
        return await asyncio.shield(self._exit_code)

    def stop(self, grace_s: float) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            asyncio.get_running_loop().call_later(grace_s, self.kill)

    def kill(self) -> None:
        if not self._ended:  # later the pid may be somebody else's
            kill_group(self._process.pid)


class SimulatedContainer:
    """A coroutine that says how the pod ends: hundreds of pods for the price of a few."""

    def __init__(self, simulation: Simulation, pod: Mapping[str, Any], log: PodLog) -> None:
        self._log = log
        self._exit_when_cancelled = TERMINATED
        self._task = asyncio.ensure_future(simulation(pod, lambda line: log.write(line.encode() + b"\n")))

    async def wait(self) -> int:
        await asyncio.wait({self._task})
        if self._task.cancelled():
            return self._exit_when_cancelled
        if failure := self._task.exception():
            self._log.write("".join(traceback.format_exception(failure)).encode())
            return 1
        return self._task.result()

    def stop(self, grace_s: float) -> None:
        self._task.cancel()

    def kill(self) -> None:
        self._exit_when_cancelled = KILLED
        self._task.cancel()
