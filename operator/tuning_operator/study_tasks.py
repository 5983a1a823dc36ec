"""One asyncio task per study, with a mailbox: whoever notices something wakes the study, and it acts once for many."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from tuning_operator.api.names import STORAGE_ANNOTATION
from tuning_operator.api.status import read_status
from tuning_operator.api.study import Metadata, TuningStudy
from tuning_operator.api.validation import parse_study
from tuning_operator.decisions.conditions import degradation
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.study_status import refused_status, unusable_status
from tuning_operator.engine import StudyEngine, World
from tuning_operator.errors import (
    InvalidStudy,
    LeaseLost,
    StorageDamaged,
    StorageMismatch,
    StudyGone,
    TuningError,
    Unavailable,
)
from tuning_operator.ports import TrialRepositories, TrialRepository
from tuning_operator.settings import Settings

log = logging.getLogger(__name__)

STORAGE_LETTERS = 8
"""Of a database's read token, which a person who wants to go on with it writes into an annotation."""

RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after a step that failed, the last one for ever."""


class StudyTask:
    """Runs one study until it is deleted."""

    def __init__(
        self, study: StudyKey, resource: TuningStudy, world: World, repositories: TrialRepositories, settings: Settings
    ) -> None:
        self.study = study
        self.resource = resource
        self._world = world
        self._repositories = repositories
        self._settings = settings
        self._engine = StudyEngine(study, resource, world, settings.status_seconds, self.wake)
        self._trials: TrialRepository | None = None
        self._mail = asyncio.Event()
        self._woken_at: float | None = None
        self._failures = 0
        self.wake()

    def change(self, resource: TuningStudy) -> None:
        """Take a new version of the resource; one that only shows our own status wakes nobody."""
        before, after = self.resource.metadata, resource.metadata
        changed = _asked_for(before) != _asked_for(after)
        self.resource = resource
        self._engine.refuse("", 0)
        if changed:
            self._trials = None  # opened again, with the new spec
            self.wake()

    def refuse(self, error: InvalidStudy, generation: int) -> None:
        """Go on with the last good spec, and say in the status what is wrong with the new one."""
        self._engine.refuse(str(error), generation)
        self.wake()

    def wake(self) -> None:
        """Let the study be looked at soon."""
        if self._woken_at is None:
            self._woken_at = self._world.clock.now()
        self._mail.set()

    async def run(self) -> None:
        """Step whenever something happened, a time came or a resync is due, until cancelled."""
        try:
            await self._run()
        finally:
            self._engine.halt()

    async def _run(self) -> None:
        due: float | None = None
        while True:
            await self._wait(due)
            try:
                due = await self._step()
                self._failures = 0
            except StudyGone:
                # Whoever tells of the deletion ends this task; until then nothing is started.
                await asyncio.sleep(RETRY_SECONDS[-1])
                due = None
            except LeaseLost:
                return  # this process is about to end; its status would be that of the past
            except TuningError as error:
                due = await self._failed(error)
            except Exception:
                log.exception("the study can't be worked on: this is a defect", extra=_fields(self.study))
                due = self._retry_at()

    async def _wait(self, due: float | None) -> None:
        now = self._world.clock.now()
        wait = self._settings.resync_seconds if due is None else min(max(due - now, 0.0), self._settings.resync_seconds)
        try:
            async with asyncio.timeout(wait):
                await self._mail.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._settings.coalesce_seconds)

    async def _step(self) -> float | None:
        woken_at = self._woken_at if self._woken_at is not None else self._world.clock.now()
        self._woken_at = None
        self._mail.clear()
        resource = self.resource
        trials = self._trials
        if trials is None:
            self._check_storage()
            trials = await self._repositories.open(self.study, resource.spec, resource.metadata.resume)
            if resource is not self.resource and resource.spec != self.resource.spec:
                return self._world.clock.now()  # edited meanwhile: open it with the new spec
            self._trials = trials
            self._announce_what_is_known(trials)
        return await self._engine.step(resource, trials, woken_at)

    def _check_storage(self) -> None:
        """Raise `StorageMismatch` where the status is that of trials in another database.

        An operator that was given a wrong one would begin the study anew, and delete all Jobs that run. Its key, which
        `readToken` is made with, tells a database from another, and not from its own backup.
        """
        shown, token = self._engine.shown, self._world.addresses.read_token(self.study)
        if not shown.trials.total or shown.read_token in ("", token):
            return
        here = token[:STORAGE_LETTERS]
        if self.resource.metadata.storage == here:
            return
        raise StorageMismatch(
            f"the study has {shown.trials.total} trials in another database than this operator uses: nothing is "
            "started or stopped; give the operator the right storage URL, or, to go on with what this database has, "
            f"annotate the study with {STORAGE_ANNOTATION}={here}"
        )

    def _announce_what_is_known(self, trials: TrialRepository) -> None:
        history = trials.history()
        total = history.total
        if history.warm_start and not total:
            self._world.events.record(self.study, warning=False, reason="WarmStarted", message=history.warm_start)
        if total and self.resource.metadata.resume and self._engine.shown.start_time is None:
            message = f"the study goes on with the {total} trials of an earlier one of its name"
            self._world.events.record(self.study, warning=False, reason="HistoryResumed", message=message)

    async def _failed(self, error: TuningError) -> float:
        """Say in the status what is away or wrong; nothing is lost, for the next step decides anew."""
        log.warning("%s", error, extra=_fields(self.study))
        self._world.fair_use.wait_no_more(self.study)
        now = self._world.clock.now()
        generation = self.resource.metadata.generation
        if isinstance(error, InvalidStudy):
            status = refused_status(self._engine.shown, error, generation, now)
        else:
            status = unusable_status(self._engine.shown, degradation(type(error).__name__, str(error)), generation, now)
        try:
            if status != self._engine.shown:
                await self._engine.write(status)
        except TuningError as second:
            log.warning("the status of %s can't be written: %s", self.study, second, extra=_fields(self.study))
        patient = isinstance(error, InvalidStudy | StorageDamaged | StorageMismatch)
        return now + RETRY_SECONDS[-1] if patient else self._retry_at()

    def _retry_at(self) -> float:
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        return self._world.clock.now() + pause


class StudyTasks:
    """All studies of this process."""

    def __init__(self, world: World, repositories: TrialRepositories, settings: Settings) -> None:
        self._world = world
        self._repositories = repositories
        self._settings = settings
        self._studies: dict[str, tuple[StudyTask, asyncio.Task[None]]] = {}
        self._refused: dict[str, int] = {}
        self._background: set[asyncio.Task[None]] = set()

    def find(self, namespace: str, name: str) -> StudyKey | None:
        """Return the key of a study that is worked on."""
        keys = (task.study for task, _ in self._studies.values())
        return next((key for key in keys if (key.namespace, key.name) == (namespace, name)), None)

    def find_by_uid(self, uid: str) -> StudyKey | None:
        """Return the key of a study that is worked on."""
        found = self._studies.get(uid)
        return None if found is None else found[0].study

    def study_changed(self, document: Mapping[str, Any]) -> None:
        """Take an object as the API server shows it. Never raises: what can't be read is refused in its status."""
        key = study_key(document)
        if key is None:
            return
        if document["metadata"].get("deletionTimestamp"):
            self.study_deleted(key.uid)
            return
        metadata = document["metadata"]
        if key.uid in self._studies:
            known = self._studies[key.uid][0].resource.metadata
            if (known.generation, known.annotations) == (metadata.get("generation"), metadata.get("annotations") or {}):
                return  # each status that this process writes comes back, and parsing a large spec takes its time
        try:
            resource = parse_study(document)
        except InvalidStudy as error:
            self._refuse(key, document, error)
            return
        if key.uid in self._studies:
            self._studies[key.uid][0].change(resource)
            return
        task = StudyTask(key, resource, self._world, self._repositories, self._settings)
        runner = asyncio.create_task(task.run(), name=f"study {key}")
        self._studies[key.uid] = (task, runner)

    def study_deleted(self, uid: str, last: Mapping[str, Any] | None = None) -> None:
        """Let a study go; its Jobs go with it. Its history stays in the storage; others may delete it there."""
        self._refused.pop(uid, None)
        found = self._studies.pop(uid, None)
        if found is None:
            return
        task, runner = found
        runner.cancel()
        self._world.logs.forget(task.study)
        self._world.metrics.forget_study(task.study)
        self._world.fair_use.forget(task.study)
        self._spawn(self._repositories.close(uid))

    def wake(self, uid: str) -> None:
        """Let a study be looked at soon; an unknown one is ignored."""
        found = self._studies.get(uid)
        if found is not None:
            found[0].wake()

    @property
    def alive(self) -> bool:
        """Whether every study's task still runs or ended as it should."""
        return not any(
            runner.done() and not runner.cancelled() and runner.exception() for _, runner in self._studies.values()
        )

    def halt(self) -> None:
        """Let all studies stop at their next pause; a step in flight may end anywhere, as in a crash."""
        for _, runner in self._studies.values():
            runner.cancel()
        self._world.logs.halt()

    async def close(self) -> None:
        """Stop all studies, and wait until they have."""
        self.halt()
        runners = [runner for _, runner in self._studies.values()]
        await asyncio.gather(*runners, *self._background, return_exceptions=True)
        await self._world.logs.close()

    def _refuse(self, key: StudyKey, document: Mapping[str, Any], error: InvalidStudy) -> None:
        """A study that runs keeps its last good spec; in both cases the status says what is wrong."""
        generation = _generation(document)
        if self._refused.get(key.uid) == generation:
            return
        self._refused[key.uid] = generation
        log.warning("study %s is refused: %s", key, error, extra=_fields(key))
        if key.uid in self._studies:
            self._studies[key.uid][0].refuse(error, generation)
            return
        previous = read_status(document.get("status"))
        status = refused_status(previous, error, generation, self._world.clock.now())
        self._world.events.record(key, warning=True, reason="InvalidSpec", message=str(error))
        self._spawn(self._write_refusal(key, status.to_document()))

    async def _write_refusal(self, key: StudyKey, status: Mapping[str, Any]) -> None:
        for pause in RETRY_SECONDS:
            try:
                await self._world.status.write(key, status)
            except Unavailable:
                await asyncio.sleep(pause)
            except TuningError as error:
                log.warning("the status of %s can't be written: %s", key, error, extra=_fields(key))
                return
            else:
                return

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def study_key(document: Mapping[str, Any]) -> StudyKey | None:
    """Return which study an object is; None when it does not even say that."""
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    parts = [metadata.get(name) for name in ("namespace", "name", "uid")]
    if not all(isinstance(part, str) and part for part in parts):
        return None
    return StudyKey(*map(str, parts))


def _fields(study: StudyKey) -> dict[str, str]:
    return {"namespace": study.namespace, "study": study.name}


def _asked_for(metadata: Metadata) -> tuple[object, ...]:
    """Return what a person changes in a study's metadata, directly or with its spec."""
    return metadata.generation, metadata.resume, metadata.storage


def _generation(document: Mapping[str, Any]) -> int:
    generation = document["metadata"].get("generation")
    return generation if isinstance(generation, int) else 0
