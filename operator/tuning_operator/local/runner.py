"""A study on this machine: the engine with local processes, from the first trial or from where the last run ended."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tuning_operator.api.status import ConditionType, StudyStatus
from tuning_operator.api.study import StudySpec, Suspend, Suspension
from tuning_operator.api.validation import parse_study
from tuning_operator.clock import SystemClock
from tuning_operator.decisions.events import Announcement
from tuning_operator.decisions.pod_time import attempt_seconds
from tuning_operator.decisions.retrying import put_off
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.engine import World
from tuning_operator.errors import InvalidStudy, JobRefused, SearchFailed, StorageUnavailable
from tuning_operator.fair_use import FairUse
from tuning_operator.interpreter import prepare_interpreter
from tuning_operator.local.checkpoints import CheckpointFolders, remove
from tuning_operator.local.log_files import LogFiles
from tuning_operator.local.places import NAMESPACE, Places
from tuning_operator.local.processes import LocalTrialJobs
from tuning_operator.local.world import LocalEvents, LocalStatus
from tuning_operator.metrics.recording import Metrics
from tuning_operator.ports import TrialRepository
from tuning_operator.reports.addresses import ReportAddresses
from tuning_operator.reports.server import ReportServer
from tuning_operator.search.repositories import StudyRepositories
from tuning_operator.settings import Settings
from tuning_operator.study_tasks import StudyTasks
from tuning_operator.trial_logs.log_readings import LogReadings

STOP_SECONDS = 8.0
"""How long the engine may take to end the trials once somebody asked twice to stop: a process that ignores SIGTERM
needs 5 of them. Then the run ends without it, for its storage may be what fails."""
_CLOSING_SECONDS = 1.0
"""How long what waits for the storage may then take to close."""


@dataclass(frozen=True)
class Observer:
    """What a caller wants to hear of a run."""

    on_start: Callable[[StudyKey, TrialRepository], None] = lambda _study, _trials: None
    on_status: Callable[[StudyStatus], None] = lambda _status: None
    on_event: Callable[[Announcement], None] = lambda _event: None


@dataclass
class LocalRun:
    """One run of one study. `run()` once; `stop()` at any time, from the same event loop."""

    document: Mapping[str, Any]
    """The TuningStudy object, as read from its file."""
    places: Places = field(default_factory=Places)
    parallelism: int | None = None
    """Instead of the study's own. Of either no more run at a time than there are CPUs, of which each run of a trial
    takes one."""
    new: bool = False
    """Start a new history instead of resuming the last one."""
    observer: Observer = field(default_factory=Observer)
    _stops: int = field(default=0, init=False)
    _generation: int = field(default=1, init=False)
    _tasks: StudyTasks | None = field(default=None, init=False)
    _object: dict[str, Any] = field(default_factory=dict, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _give_up_at: float | None = field(default=None, init=False)
    """In seconds of the event loop's clock."""

    async def run(self) -> StudyStatus:
        """Run until the study ends, is refused, or is stopped and no process is left; return its last status.

        Raises
        ------
        InvalidStudy
            The document is wrong, or the stored history has another search space.
        JobRefused
            No trial can be started (any more).
        SearchFailed
            The sampler has a defect, and no trial is left that runs.
        AlreadyRunning
            Another process runs the study.
        StorageUnavailable, StorageDamaged
            `.tuning/` can't be used, or could not when the run was to be stopped.
        """
        prepare_interpreter()
        study = parse_study(self.document)
        if study.spec.suspend.enabled:
            raise InvalidStudy(
                ["spec.suspend.enabled is true, so no trial would start; remove it to run the study here"]
            )
        with self.places.locked(study.metadata.name):
            repositories = StudyRepositories(self.places.storage_url)
            try:
                key = await self._key(repositories, study.metadata.name)
                self._object = self._as_object(key, study.spec)
                return await self._run(key, study.spec, repositories)
            finally:
                async with self._bounded():
                    await repositories.aclose()

    def stop(self) -> None:
        """Let running trials finish and start no more; called again, end the running ones too, within some 10 s.

        The trials that were cut off go on from their last checkpoint when the study is run again, or start over.
        """
        self._stops += 1
        if self._stops == 2:
            self._give_up_at = asyncio.get_running_loop().time() + STOP_SECONDS
            self._changed.set()
        self._generation += 1
        if self._tasks is not None:
            self._tasks.study_changed(self._wanted_object())

    def _wanted_object(self) -> dict[str, Any]:
        """Return the study as it is to be run now: suspended once somebody asked to stop."""
        metadata = {**self._object["metadata"], "generation": self._generation}
        if not self._stops:
            return {**self._object, "metadata": metadata}
        mode = Suspension.DRAIN if self._stops == 1 else Suspension.TERMINATE
        spec = {**self._object["spec"], "suspend": Suspend(enabled=True, mode=mode).to_document()}
        return {**self._object, "metadata": metadata, "spec": spec}

    async def _run(self, key: StudyKey, spec: StudySpec, repositories: StudyRepositories) -> StudyStatus:
        trials = await repositories.open(key, spec)
        for trial in trials.history().open:
            # Its process went with the last run. Unless it had come to its end, it gets another under the same number.
            await trials.start_attempt(put_off(trial, attempt_seconds(trial, None, SystemClock().now()), "Resumed"))

        def shown(status: StudyStatus) -> None:
            self.observer.on_status(status)
            self._changed.set()

        status = LocalStatus(shown)
        checkpoints = CheckpointFolders(self.places.checkpoints(key))
        unneeded = partial(checkpoints.unneeded, may_be_parents=spec.search.sampler.name.inherits_checkpoints)
        async with self._started(key, spec, repositories, status, checkpoints) as (tasks, jobs):
            self.observer.on_start(key, trials)
            self._tasks = tasks
            tasks.study_changed(self._wanted_object())
            while not self._is_over(status.latest):
                await self._next_change()
                await asyncio.to_thread(remove, unneeded(trials, jobs.observed(key)))
        await asyncio.to_thread(remove, unneeded(trials, ()))
        async with self._bounded():
            with suppress(StorageUnavailable):  # then its status says that it can be run again, as it can
                await trials.keep_outlook()
        return status.latest

    async def _next_change(self) -> None:
        try:
            async with asyncio.timeout_at(self._give_up_at):
                await self._changed.wait()
        except TimeoutError:
            raise StorageUnavailable(
                f"the running trials are ended, but {self.places.database} did not take it in time; see that it can be "
                "written and run the study again: they go on from their last checkpoint, or start over"
            ) from None
        self._changed.clear()

    def _is_over(self, status: StudyStatus) -> bool:
        if any(status.is_true(kind) for kind in (ConditionType.COMPLETE, ConditionType.FAILED)):
            return True
        accepted = status.condition(ConditionType.ACCEPTED)
        if accepted is not None and accepted.status == "False":
            raise InvalidStudy([accepted.message])
        drained = status.trials.running + status.trials.pending == 0
        degraded = status.condition(ConditionType.DEGRADED)
        if drained and degraded is not None and (degraded.status, degraded.reason) == ("True", "JobNotCreated"):
            raise JobRefused(degraded.message)  # nobody but the user can change that
        is_idle = drained and not status.trials.waiting
        if is_idle and degraded is not None and (degraded.status, degraded.reason) == ("True", "SearchFailed"):
            raise SearchFailed(degraded.message)
        return self._stops > 0 and drained and status.observed_generation == self._generation

    @asynccontextmanager
    async def _started(
        self,
        key: StudyKey,
        spec: StudySpec,
        repositories: StudyRepositories,
        status: LocalStatus,
        checkpoints: CheckpointFolders,
    ) -> AsyncIterator[tuple[StudyTasks, LocalTrialJobs]]:
        secret = await repositories.secret_key()
        clock = SystemClock()
        room = max(1, cpus() // spec.trial.runs_at_once)
        at_once = max(1, cpus() // min(self._object["spec"]["parallelism"], room))
        # Sums of several threads differ in their last digits from run to run, and from machine to machine.
        threads = 1 if spec.search.deterministic else max(1, at_once // spec.trial.runs_at_once)
        jobs = LocalTrialJobs(self.places.logs(key), checkpoints, clock, lambda uid: tasks.wake(uid), threads, at_once)
        server = ReportServer(repositories, secret, wake=lambda uid: tasks.wake(uid))
        port = await server.start()
        addresses = ReportAddresses(f"http://127.0.0.1:{port}", secret)
        settings = Settings(status_seconds=0.5, coalesce_seconds=0.005)
        logs = LogReadings(LogFiles(jobs.log_file).read, lambda uid: tasks.wake(uid))
        fair_use = FairUse(settings, lambda uid: tasks.wake(uid))
        events = LocalEvents(self.observer.on_event)
        world = World(jobs, logs, status, events, addresses, clock, Metrics(), fair_use, room)
        tasks = StudyTasks(world, repositories, settings)
        try:
            yield tasks, jobs
        finally:
            await tasks.close()
            await jobs.close()
            async with self._bounded():
                await server.stop()

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        """Give up on what waits for the storage, once somebody asked twice to stop: nothing more depends on it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS if self._stops > 1 else None):
                yield

    async def _key(self, repositories: StudyRepositories, name: str) -> StudyKey:
        known = [] if self.new else await repositories.list_studies()
        mine = [stored.key for stored in known if (stored.key.namespace, stored.key.name) == (NAMESPACE, name)]
        return mine[-1] if mine else StudyKey(NAMESPACE, name, str(uuid.uuid4()))

    def _as_object(self, key: StudyKey, spec: StudySpec) -> dict[str, Any]:
        """Return the study as an API server would show it."""
        parallelism = min(self.parallelism or spec.parallelism, spec.max_trials)
        return {
            **self.document,
            "metadata": {
                **self.document["metadata"],
                "namespace": key.namespace,
                "uid": key.uid,
                "generation": self._generation,
            },
            "spec": {**self.document["spec"], "parallelism": parallelism},
            "status": {},
        }


def cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
