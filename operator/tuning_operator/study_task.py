"""One study's asyncio task, with a mailbox: whoever notices something wakes it, and it acts once for many."""

from __future__ import annotations

import asyncio
import logging

from tuning_operator.api.names import STORAGE_ANNOTATION
from tuning_operator.api.study import Metadata, TuningStudy
from tuning_operator.decisions.conditions import degradation
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.study_status import refused_status, unusable_status
from tuning_operator.engine import StudyEngine, World
from tuning_operator.errors import (
    InvalidStudy,
    LeaseLost,
    SearchFailed,
    StorageDamaged,
    StorageMismatch,
    StudyGone,
    TuningError,
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
                log.exception("the study can't be worked on: this is a defect", extra=log_fields(self.study))
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
        log.warning("%s", error, exc_info=isinstance(error, SearchFailed), extra=log_fields(self.study))
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
            log.warning("the status of %s can't be written: %s", self.study, second, extra=log_fields(self.study))
        patient = isinstance(error, InvalidStudy | StorageDamaged | StorageMismatch)
        return now + RETRY_SECONDS[-1] if patient else self._retry_at()

    def _retry_at(self) -> float:
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        return self._world.clock.now() + pause


def log_fields(study: StudyKey) -> dict[str, str]:
    """Return what each line of the log about a study has with it."""
    return {"namespace": study.namespace, "study": study.name}


def _asked_for(metadata: Metadata) -> tuple[object, ...]:
    """Return what a person changes in a study's metadata, directly or with its spec."""
    return metadata.generation, metadata.resume, metadata.storage
