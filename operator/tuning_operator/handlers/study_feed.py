"""Which studies exist: what the watch tells, corrected by a list now and then.

After a gap of its watch kopf never tells which objects were deleted in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from tuning_operator.errors import TuningError
from tuning_operator.handlers.studies import Deliver

_log = logging.getLogger(__name__)

MOST_GONE = 10_000
"""Deleted studies that are remembered; trials of older ones find out when their Jobs are deleted."""


class StudyEvents(Protocol):
    """What is told of studies."""

    def study_changed(self, document: Mapping[str, Any]) -> None:
        """Take an object as the API server has it."""

    def study_deleted(self, uid: str, last: Mapping[str, Any] | None = None) -> None:
        """Let a study go; `last` is the object as it was in the end, None: it was only missing in a list."""


class StudyFeed:
    """Tells each change once, in order: a list that was under way is never taken for newer than the watch."""

    def __init__(self, events: StudyEvents, list_studies: Callable[[], Awaitable[list[dict[str, Any]]]]) -> None:
        self._events = events
        self._list_studies = list_studies
        self._known: dict[str, int] = {}
        """Uid of a study that exists -> its newest generation."""
        self._gone: dict[str, None] = {}

    def is_gone(self, uid: str) -> bool:
        """Return whether a study certainly was deleted."""
        return uid in self._gone

    @property
    def take(self) -> Deliver:
        """What the watch delivers to."""
        return self._take

    async def relist(self) -> None:
        """List all studies, and tell what the watch did not.

        Raises
        ------
        ClusterUnavailable, NotFound, Forbidden
            They can't be listed; NotFound: the CRD is not installed.
        """
        before = set(self._known)
        documents = {_uid(document): document for document in await self._list_studies()}
        for uid, document in documents.items():
            is_newer = uid not in self._known or _generation(document) > self._known[uid]
            if is_newer and uid not in self._gone:
                self._take(None, document)
        for uid in before - set(documents):
            self._forget(uid)

    async def keep_listing(self, seconds: float) -> None:
        """List now and then until cancelled; an outage is the watch's to complain about."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.relist()
            except TuningError as error:
                _log.info("the studies could not be listed: %s", error)

    def _take(self, kind: str | None, document: Mapping[str, Any]) -> None:
        uid = _uid(document)
        if kind == "DELETED":
            self._forget(uid, document)
            return
        is_older = _generation(document) < self._known.get(uid, 0)
        if uid not in self._gone and not is_older:  # a deletion's last event may come after the list that missed it
            self._known[uid] = _generation(document)
            self._events.study_changed(document)

    def _forget(self, uid: str, last: Mapping[str, Any] | None = None) -> None:
        self._known.pop(uid, None)
        self._gone[uid] = None
        if len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]
        self._events.study_deleted(uid, last)


def _uid(document: Mapping[str, Any]) -> str:
    return str((document.get("metadata") or {}).get("uid"))


def _generation(document: Mapping[str, Any]) -> int:
    generation = (document.get("metadata") or {}).get("generation")
    return generation if isinstance(generation, int) else 0
