"""What becomes of the histories of studies that are gone, as `spec.deletionPolicy` says.

Without a finalizer nobody waits for the operator when a study is deleted: the policy is in the storage, and what was
missed is found by comparing the storage with the API server.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Protocol

from tuning_operator.api.deletion_policy import DeletionPolicy, deletion_policy_of
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import TuningError, Unavailable
from tuning_operator.handlers.study_feed import StudyEvents
from tuning_operator.study_tasks import study_key

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""After the storage or the API server was away."""


class Histories(Protocol):
    """The storage, as far as deletions are concerned."""

    async def keep_policy(self, study: StudyKey, policy: DeletionPolicy) -> None:
        """Store what becomes of a study's history when its object goes."""

    async def deletable(self) -> Sequence[StudyKey]:
        """Return this operator's studies whose histories go with their objects, whether or not these exist."""

    async def delete_history(self, study: StudyKey) -> None:
        """Delete a history; can be repeated."""


class DeletedStudies:
    """Passes on to `tasks` what is told of studies, and deletes the histories of those that certainly are gone.

    Certain is what the watch says, and what a whole list of the watched namespaces lacks that was stored before it.
    """

    def __init__(
        self,
        tasks: StudyEvents,
        histories: Histories,
        list_studies: Callable[[], Awaitable[list[dict[str, Any]]]],
        namespaces: Container[str] = (),
    ) -> None:
        self._tasks = tasks
        self._histories = histories
        self._list_studies = list_studies
        self._namespaces = namespaces
        self._existing: set[str] = set()
        self._deleted: deque[tuple[StudyKey, DeletionPolicy]] = deque()
        """Studies that were deleted with a policy that the storage may not know yet."""
        self._news = asyncio.Event()

    def study_changed(self, document: Mapping[str, Any]) -> None:
        """Take an object as the API server has it."""
        key = study_key(document)
        if key is not None:
            self._existing.add(key.uid)
        self._tasks.study_changed(document)

    def study_deleted(self, uid: str, last: Mapping[str, Any] | None = None) -> None:
        """Let a study go; `last` is the object as it was in the end."""
        self._tasks.study_deleted(uid)
        self._existing.discard(uid)
        key, policy = study_key(last or {}), deletion_policy_of(last or {})
        if key is not None and policy is not None:
            self._deleted.append((key, policy))
        self._news.set()

    async def run(self, seconds: float) -> None:
        """Delete what is to be deleted until cancelled: at once, and every so many seconds what was missed."""
        while True:
            self._news.clear()
            pause = seconds
            try:
                await self._delete()
            except TuningError as error:
                log.warning("histories of deleted studies wait to be deleted: %s", error)
                pause = RETRY_SECONDS
            except Exception:
                log.exception("histories of deleted studies can't be deleted: this is a defect")
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _delete(self) -> None:
        while self._deleted:
            await self._histories.keep_policy(*self._deleted[0])
            self._deleted.popleft()
        for study in await self._gone():
            log.info("delete the history of %s: it is gone, and deletionPolicy is Delete", study, extra=_fields(study))
            try:
                await self._histories.delete_history(study)
            except Unavailable:
                raise
            except TuningError as error:
                log.warning("the history of %s can't be deleted: %s", study, error, extra=_fields(study))

    async def _gone(self) -> list[StudyKey]:
        """Return the studies whose histories are to be deleted."""
        stored = [study for study in await self._histories.deletable() if self._may_be_gone(study)]
        if not stored:
            return []
        # In this order: what was stored before the list existed before it.
        listed = {str((document.get("metadata") or {}).get("uid")) for document in await self._list_studies()}
        return [study for study in stored if study.uid not in listed]

    def _may_be_gone(self, study: StudyKey) -> bool:
        watched = not self._namespaces or study.namespace in self._namespaces
        return watched and study.uid not in self._existing


def _fields(study: StudyKey) -> dict[str, str]:
    return {"namespace": study.namespace, "study": study.name}
