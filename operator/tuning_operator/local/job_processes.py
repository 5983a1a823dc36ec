"""The processes of one Job: one for each of its trial's runs, and so many at a time as there is room for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.errors import JobRefused

TERMINATION_GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL; pods have 30 seconds, but here somebody sits in front."""

_NOT_STARTED = 126
"""A shell's exit code for a command that is there and can't be executed."""

Start = Callable[[int], Awaitable[asyncio.subprocess.Process]]
"""Starts a run's process, the leader of a process group; raises `JobRefused`."""


class JobProcesses:
    """Process groups that end together: the first that fails, or `terminate`, ends all."""

    def __init__(self, start: Start, runs: int, at_once: int, ended: Callable[[int], None]) -> None:
        """`ended` is told of the pid of each process that is no more."""
        self._start = start
        self._runs = runs
        self._at_once = at_once
        self._ended = ended
        self._is_ending = False
        self._next = 0
        """The run to be started next."""
        self._failed: tuple[int, int] | None = None
        """Which run failed first, and its exit code."""
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        """By run."""

    async def begin(self) -> None:
        """Start as many as there is room for; raises `JobRefused`."""
        while self._next < self._runs and len(self._processes) < self._at_once:
            run, self._next = self._next, self._next + 1
            try:
                self._processes[run] = await self._start(run)
            except JobRefused:
                self._fail(run, _NOT_STARTED)
                raise
            if self._is_ending:  # it was to end while it was being started
                self.terminate()

    async def wait(self, job: TrialJob, now: Callable[[], float]) -> TrialJob:
        """Start the others as there is room, and return what became of the Job when no process of it is left."""
        while self._processes:
            waits = {asyncio.create_task(process.wait()): run for run, process in self._processes.items()}
            done, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
            for run, code in ((waits[task], task.result()) for task in done):
                self._take_leave(run)
                if code:
                    self._fail(run, code)
            with contextlib.suppress(JobRefused):
                await self.begin()
        if self._failed is None:
            return replace(job, phase=JobPhase.COMPLETE, ended_at=now(), exit_code=0)
        return _failed(job, now(), *self._failed, several=self._runs > 1)

    def terminate(self) -> None:
        """Ask all to end, and start no more; those that do not end are killed."""
        self._is_ending, self._next = True, self._runs
        self.signal(signal.SIGTERM)
        asyncio.get_running_loop().call_later(TERMINATION_GRACE_SECONDS, _kill, list(self._processes.values()))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all process groups."""
        for process in self._processes.values():
            _signal_group(process, number)

    def _fail(self, run: int, code: int) -> None:
        if self._failed is None:
            self._failed = run, code
            self.terminate()

    def _take_leave(self, run: int) -> None:
        process = self._processes.pop(run)
        _signal_group(process, signal.SIGKILL)  # what the trainer left behind, data loaders for example
        self._ended(process.pid)


def _failed(job: TrialJob, now: float, run: int, code: int, *, several: bool) -> TrialJob:
    """Return a Job whose process failed; a negative code is the signal that it died of."""
    exit_code = code if code > 0 else 128 - code  # as a shell and containers tell of signals
    message = f"the process{f' of run {run}' if several else ''} exited with code {exit_code}"
    return replace(job, phase=JobPhase.FAILED, ended_at=now, exit_code=exit_code, message=message, cause="")


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _kill(processes: Collection[asyncio.subprocess.Process]) -> None:
    for process in processes:
        if process.returncode is None:
            _signal_group(process, signal.SIGKILL)
