"""Jobs as local processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from tuning_operator.api.names import ATTEMPT_LABEL, TRIAL_LABEL
from tuning_operator.decisions.snapshot import JobPhase, StudyKey, TrialJob
from tuning_operator.errors import JobRefused
from tuning_operator.local.commands import local_command, process_environment
from tuning_operator.ports import Clock, Manifest

TERMINATION_GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL; pods have 30 seconds, but here somebody sits in front."""


class LocalTrialJobs:
    """Implements `TrialJobs`: each Job is a process group, its log a file.

    `on_change` is called with the study's uid when a process ended.
    """

    def __init__(self, logs: Path, clock: Clock, on_change: Callable[[str], None], threads: int = 1) -> None:
        self._logs = logs
        self._clock = clock
        self._on_change = on_change
        self._threads = threads
        self._jobs: dict[str, TrialJob] = {}
        self._vanished: set[tuple[int, int]] = set()
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._guard: asyncio.subprocess.Process | None = None

    def observed(self, study: StudyKey) -> Collection[TrialJob]:
        """Return all Jobs of this run."""
        return tuple(self._jobs.values())

    def vanished(self, study: StudyKey) -> frozenset[tuple[int, int]]:
        """Return the Jobs that `delete` removed."""
        return frozenset(self._vanished)

    def log_file(self, name: str) -> Path:
        """Return where a Job's output goes."""
        return self._logs / f"{name}.log"

    async def check(self, study: StudyKey, manifest: Manifest) -> Sequence[str]:
        """Find what would keep the command from starting."""
        command = local_command(manifest)
        environment = process_environment(command, self._threads)
        if shutil.which(command.argv[0], path=environment["PATH"]) is None:
            raise JobRefused(f"the command {command.argv[0]!r} of the template is not installed on this machine")
        return ()

    async def create(self, study: StudyKey, manifest: Manifest) -> None:
        """Start the process, unless a Job of the name is there."""
        name, labels = manifest["metadata"]["name"], manifest["metadata"]["labels"]
        if name in self._jobs:
            return
        await self.check(study, manifest)
        process = await self._start(name, manifest)
        now = self._clock.now()
        job = TrialJob(
            name, int(labels[TRIAL_LABEL]), int(labels[ATTEMPT_LABEL]), JobPhase.RUNNING, now, running_at=now
        )
        self._jobs[name] = job
        self._processes[name] = process
        watcher = asyncio.create_task(self._follow(study, name, process), name=f"process of {name}")
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def delete(self, study: StudyKey, name: str) -> None:
        """Ask the process to end; it is killed when it does not."""
        job = self._jobs.get(name)
        if job is None:
            return
        self._jobs[name] = replace(job, deleting=True)
        process = self._processes.get(name)
        if process is None:
            self._remove(name)
            return
        _signal_group(process, signal.SIGTERM)
        asyncio.get_running_loop().call_later(TERMINATION_GRACE_SECONDS, _kill_if_alive, process)

    async def close(self) -> None:
        """End every process that is left."""
        processes = list(self._processes.values())
        for process in processes:
            _signal_group(process, signal.SIGTERM)
        _, late = await _wait(self._watchers, TERMINATION_GRACE_SECONDS)
        for process in processes if late else ():
            _signal_group(process, signal.SIGKILL)
        await asyncio.gather(*self._watchers)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            await self._guard.wait()

    async def _start(self, name: str, manifest: Manifest) -> asyncio.subprocess.Process:
        command = local_command(manifest)
        await self._start_guard()
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log_file(name).open("ab") as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command.argv,
                    env=process_environment(command, self._threads),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise JobRefused(f"{command.argv[0]!r} can't be started: {error.strerror}") from error
        self._tell_guard("+", process.pid)
        return process

    async def _follow(self, study: StudyKey, name: str, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        _signal_group(process, signal.SIGKILL)  # what the trainer left behind, data loaders for example
        self._tell_guard("-", process.pid)
        del self._processes[name]
        if self._jobs[name].deleting:
            self._remove(name)
        else:
            # A shell's way to tell of signals, as containers do.
            exit_code = code if code >= 0 else 128 - code
            phase = JobPhase.COMPLETE if exit_code == 0 else JobPhase.FAILED
            self._jobs[name] = replace(self._jobs[name], phase=phase, ended_at=self._clock.now(), exit_code=exit_code)
        self._on_change(study.uid)

    def _remove(self, name: str) -> None:
        job = self._jobs.pop(name)
        self._vanished.add((job.trial, job.attempt))

    async def _start_guard(self) -> None:
        if self._guard is None:
            guard = Path(__file__).with_name("guard.py")
            self._guard = await asyncio.create_subprocess_exec(
                sys.executable, "-I", str(guard), stdin=asyncio.subprocess.PIPE, start_new_session=True
            )

    def _tell_guard(self, sign: str, group: int) -> None:
        if self._guard is not None and self._guard.stdin is not None and not self._guard.stdin.is_closing():
            self._guard.stdin.write(f"{sign}{group}\n".encode())


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _kill_if_alive(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal_group(process, signal.SIGKILL)


async def _wait(
    tasks: Collection[asyncio.Task[None]], seconds: float
) -> tuple[set[asyncio.Task[None]], set[asyncio.Task[None]]]:
    return await asyncio.wait(tasks, timeout=seconds) if tasks else (set(), set())
