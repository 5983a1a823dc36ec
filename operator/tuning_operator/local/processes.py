"""Jobs as local processes."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tuning_operator.api.names import ATTEMPT_LABEL, PARENT_LABEL, TRIAL_LABEL
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import JobRefused
from tuning_operator.local import job_processes
from tuning_operator.local.checkpoints import CheckpointFolders
from tuning_operator.local.commands import LocalCommand, local_command, process_environment
from tuning_operator.local.guarded_start import GuardedStart
from tuning_operator.local.job_processes import JobProcesses
from tuning_operator.ports import Clock, Manifest


def log_name(job: str, run: int = 0) -> str:
    """Return the name of the file that the output of a run of a Job goes to."""
    return f"{job}-{run}.log" if run else f"{job}.log"


class LocalTrialJobs:
    """Implements `TrialJobs`: each Job is a process group for each of its trial's runs, its logs are files.

    `on_change` is called with the study's uid when a Job's processes ended.
    """

    def __init__(
        self,
        logs: Path,
        checkpoints: CheckpointFolders,
        clock: Clock,
        on_change: Callable[[str], None],
        threads: int = 1,
        at_once: int = 1,
    ) -> None:
        """`at_once` is how many processes of one Job there is room for, each with so many `threads`."""
        self._logs = logs
        self._checkpoints = checkpoints
        self._clock = clock
        self._on_change = on_change
        self._threads = threads
        self._at_once = at_once
        self._jobs: dict[str, tuple[str, TrialJob]] = {}
        """Study's uid and Job, by name."""
        self._vanished: set[tuple[str, int, int]] = set()
        self._processes: dict[str, JobProcesses] = {}
        """By name of the Job."""
        self._watchers: set[asyncio.Task[None]] = set()
        self._guarded = GuardedStart()

    def observed(self, study: StudyKey) -> Collection[TrialJob]:
        """Return the study's Jobs of this run."""
        return tuple(job for uid, job in self._jobs.values() if uid == study.uid)

    def vanished(self, study: StudyKey) -> frozenset[tuple[int, int]]:
        """Return the Jobs that `delete` removed."""
        return frozenset((trial, attempt) for uid, trial, attempt in self._vanished if uid == study.uid)

    def log_file(self, name: str, run: int = 0) -> Path:
        """Return where the output of a run of a Job goes."""
        return self._logs / log_name(name, run)

    async def check(self, study: StudyKey, manifest: Manifest) -> Sequence[str]:
        """Find what would keep the command from starting."""
        command = self._command(manifest)
        environment = process_environment(command, self._threads)
        if shutil.which(command.argv[0], path=environment["PATH"]) is None:
            raise JobRefused(f"the command {command.argv[0]!r} of the template is not installed on this machine")
        return ()

    async def create(self, study: StudyKey, manifest: Manifest) -> None:
        """Start the processes, unless a Job of the name is there."""
        name, (trial, attempt) = manifest["metadata"]["name"], _attempt(manifest)
        if name in self._jobs:
            if self._jobs[name][0] != study.uid:
                raise JobRefused(f"the name {name} is taken by a Job of another study")
            return
        await self.check(study, manifest)
        start, at_once = partial(self._start, name, manifest), min(self._at_once, _parallel_runs(manifest))
        processes = JobProcesses(start, _runs(manifest), at_once, self._guarded.forget)
        await processes.begin()
        now = self._clock.now()
        self._jobs[name] = study.uid, TrialJob(name, trial, attempt, JobPhase.RUNNING, now, running_at=now)
        self._vanished.discard((study.uid, trial, attempt))
        self._processes[name] = processes
        watcher = asyncio.create_task(self._follow(study, name, processes), name=f"processes of {name}")
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def delete(self, study: StudyKey, name: str) -> None:
        """Ask the processes to end; they are killed when they do not."""
        uid, job = self._jobs.get(name, (None, None))
        if job is None or uid != study.uid:
            return
        self._jobs[name] = study.uid, replace(job, deleting=True)
        processes = self._processes.get(name)
        if processes is None:
            self._remove(name)
            return
        processes.terminate()

    async def close(self) -> None:
        """End every process that is left."""
        left = list(self._processes.values())
        for processes in left:
            processes.terminate()
        _, late = await _wait(self._watchers, job_processes.TERMINATION_GRACE_SECONDS)
        for processes in left if late else ():
            processes.signal(signal.SIGKILL)
        await asyncio.gather(*self._watchers)
        await self._guarded.close()

    def _command(self, manifest: Manifest, run: int = 0) -> LocalCommand:
        which = run if _runs(manifest) > 1 else None
        return local_command(manifest, self._checkpoints.variables(*_attempt(manifest), _parent(manifest), which))

    async def _start(self, name: str, manifest: Manifest, run: int) -> asyncio.subprocess.Process:
        command = self._command(manifest, run)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log_file(name, run).open("ab") as log:
            try:
                return await self._guarded.start(command.argv, process_environment(command, self._threads), log)
            except OSError as error:
                raise JobRefused(f"{command.argv[0]!r} can't be started: {error.strerror}") from error

    async def _follow(self, study: StudyKey, name: str, processes: JobProcesses) -> None:
        ended = await processes.wait(self._jobs[name][1], self._clock.now)
        del self._processes[name]
        _, job = self._jobs[name]
        if job.deleting:
            self._remove(name)
        else:
            self._jobs[name] = study.uid, ended
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


def _runs(manifest: Manifest) -> int:
    return int(manifest["spec"].get("completions", 1))


def _parallel_runs(manifest: Manifest) -> int:
    return int(manifest["spec"].get("parallelism", 1))


async def _wait(
    tasks: Collection[asyncio.Task[None]], seconds: float
) -> tuple[set[asyncio.Task[None]], set[asyncio.Task[None]]]:
    return await asyncio.wait(tasks, timeout=seconds) if tasks else (set(), set())
