"""All studies of a process: which object is which study, and the task that each of them has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from tuning_operator.api.status import read_status
from tuning_operator.api.validation import parse_study
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.study_status import refused_status
from tuning_operator.engine import World
from tuning_operator.errors import InvalidStudy, TuningError, Unavailable
from tuning_operator.ports import TrialRepositories
from tuning_operator.settings import Settings
from tuning_operator.study_task import RETRY_SECONDS, StudyTask, log_fields

log = logging.getLogger(__name__)


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
        log.warning("study %s is refused: %s", key, error, extra=log_fields(key))
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
                log.warning("the status of %s can't be written: %s", key, error, extra=log_fields(key))
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


def _generation(document: Mapping[str, Any]) -> int:
    generation = document["metadata"].get("generation")
    return generation if isinstance(generation, int) else 0
