"""Jobs as local processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from tuning_operator.api.names import ATTEMPT_LABEL, PARENT_LABEL, TRIAL_LABEL
from tuning_operator.decisions.snapshot import JobPhase, StudyKey, TrialJob
from tuning_operator.errors import JobRefused
from tuning_operator.local.checkpoints import CheckpointFolders
from tuning_operator.local.commands import LocalCommand, local_command, process_environment
from tuning_operator.local.guarded_start import GuardedStart
from tuning_operator.ports import Clock, Manifest

TERMINATION_GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL; pods have 30 seconds, but here somebody sits in front."""


class LocalTrialJobs:
    """Implements `TrialJobs`: each Job is a process group, its log a file.

    `on_change` is called with the study's uid when a process ended.
    """

    def __init__(
        self,
        logs: Path,
        checkpoints: CheckpointFolders,
        clock: Clock,
        on_change: Callable[[str], None],
        threads: int = 1,
    ) -> None:
        self._logs = logs
        self._checkpoints = checkpoints
        self._clock = clock
        self._on_change = on_change
        self._threads = threads
        self._jobs: dict[str, tuple[str, TrialJob]] = {}
        """Study's uid and Job, by name."""
        self._vanished: set[tuple[str, int, int]] = set()
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._guarded = GuardedStart()

    def observed(self, study: StudyKey) -> Collection[TrialJob]:
        """Return the study's Jobs of this run."""
        return tuple(job for uid, job in self._jobs.values() if uid == study.uid)

    def vanished(self, study: StudyKey) -> frozenset[tuple[int, int]]:
        """Return the Jobs that `delete` removed."""
        return frozenset((trial, attempt) for uid, trial, attempt in self._vanished if uid == study.uid)

    def log_file(self, name: str) -> Path:
        """Return where a Job's output goes."""
        return self._logs / f"{name}.log"

    async def check(self, study: StudyKey, manifest: Manifest) -> Sequence[str]:
        """Find what would keep the command from starting."""
        command = self._command(manifest)
        environment = process_environment(command, self._threads)
        if shutil.which(command.argv[0], path=environment["PATH"]) is None:
            raise JobRefused(f"the command {command.argv[0]!r} of the template is not installed on this machine")
        return ()

    async def create(self, study: StudyKey, manifest: Manifest) -> None:
        """Start the process, unless a Job of the name is there."""
        name, (trial, attempt) = manifest["metadata"]["name"], _attempt(manifest)
        if name in self._jobs:
            if self._jobs[name][0] != study.uid:
                raise JobRefused(f"the name {name} is taken by a Job of another study")
            return
        await self.check(study, manifest)
        process = await self._start(name, manifest)
        now = self._clock.now()
        self._jobs[name] = study.uid, TrialJob(name, trial, attempt, JobPhase.RUNNING, now, running_at=now)
        self._vanished.discard((study.uid, trial, attempt))
        self._processes[name] = process
        watcher = asyncio.create_task(self._follow(study, name, process), name=f"process of {name}")
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def delete(self, study: StudyKey, name: str) -> None:
        """Ask the process to end; it is killed when it does not."""
        uid, job = self._jobs.get(name, (None, None))
        if job is None or uid != study.uid:
            return
        self._jobs[name] = study.uid, replace(job, deleting=True)
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
        await self._guarded.close()

    def _command(self, manifest: Manifest) -> LocalCommand:
        return local_command(manifest, self._checkpoints.variables(*_attempt(manifest), _parent(manifest)))

    async def _start(self, name: str, manifest: Manifest) -> asyncio.subprocess.Process:
        command = self._command(manifest)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log_file(name).open("ab") as log:
            try:
                return await self._guarded.start(command.argv, process_environment(command, self._threads), log)
            except OSError as error:
                raise JobRefused(f"{command.argv[0]!r} can't be started: {error.strerror}") from error

    async def _follow(self, study: StudyKey, name: str, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        _signal_group(process, signal.SIGKILL)  # what the trainer left behind, data loaders for example
        del self._processes[name]
        _, job = self._jobs[name]
        if job.deleting:
            self._remove(name)
        else:
            self._jobs[name] = study.uid, _ended(job, code, self._clock.now())
        self._guarded.forget(process.pid)
        self._on_change(study.uid)

    def _remove(self, name: str) -> None:
        uid, job = self._jobs.pop(name)
        self._vanished.add((uid, job.trial, job.attempt))


def _attempt(manifest: Manifest) -> tuple[int, int]:
    """Return which trial and attempt a Job is of."""
    labels = manifest["metadata"]["labels"]
    return int(labels[TRIAL_LABEL]), int(labels[ATTEMPT_LABEL])


def _parent(manifest: Manifest) -> int | None:
    """Return the trial from whose checkpoint a Job's goes on."""
    labels = manifest["metadata"]["labels"]
    return int(labels[PARENT_LABEL]) if PARENT_LABEL in labels else None


def _ended(job: TrialJob, code: int, now: float) -> TrialJob:
    """Return the Job of a process that ended; a negative code is the signal that it died of."""
    if code == 0:
        return replace(job, phase=JobPhase.COMPLETE, ended_at=now, exit_code=0)
    exit_code = code if code > 0 else 128 - code  # as a shell and containers tell of signals
    message = f"the process exited with code {exit_code}"
    return replace(job, phase=JobPhase.FAILED, ended_at=now, exit_code=exit_code, message=message, cause="")


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
