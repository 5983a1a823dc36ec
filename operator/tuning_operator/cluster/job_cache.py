"""The trial Jobs that exist, in memory: fed by lists, watch events and the operator's own requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuning_operator.cluster.job_view import SeenJob, UnreadableJob, merge, read_job
from tuning_operator.cluster.paths import EVERYWHERE
from tuning_operator.cluster.vanished import VanishedJobs
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.ports import Clock

_log = logging.getLogger(__name__)

StudyPlace = tuple[str, str]
"""Namespace and uid of a study: a Job in one namespace can't pass for a trial in another."""
_MOST_UNREADABLE = 10_000
"""Unreadable Jobs that are remembered, so that each is logged once."""


@dataclass(frozen=True)
class _Entry:
    seen: SeenJob
    position: int
    """The cache's count when it came in."""


class JobCache:
    """What was last seen of each study's Jobs; `on_change` gets the uid of a study whose Jobs look different now."""

    def __init__(self, clock: Clock, on_change: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_change = on_change
        self._jobs: dict[StudyPlace, dict[str, _Entry]] = {}
        self._vanished: dict[StudyPlace, VanishedJobs] = {}
        self._places: dict[str, tuple[StudyPlace, str]] = {}
        """Uid of a Job -> its study and name: what people may have changed in it is no help to find it."""
        self._unreadable: dict[str, None] = {}
        self.position = 0
        """Counts the Jobs that ever came in."""
        self.unclear: asyncio.Queue[tuple[StudyPlace, str]] = asyncio.Queue()
        """Jobs, by study and name, that failed for a cause that only their pods know; each once."""

    def observed(self, study: StudyKey) -> Collection[TrialJob]:
        """Return a study's Jobs."""
        return [entry.seen.job for entry in self._jobs.get(_place(study), {}).values()]

    def vanished(self, study: StudyKey) -> frozenset[tuple[int, int]]:
        """Return (trial, attempt) of the study's Jobs that were seen and exist no more."""
        found = self._vanished.get(_place(study))
        return found.pairs if found else frozenset()

    def find(self, study: StudyKey, name: str) -> SeenJob | None:
        """Return one Job."""
        return self.at(_place(study), name)

    def pending(self) -> Iterator[tuple[StudyPlace, list[TrialJob]]]:
        """Yield each study that has Jobs without a running pod, with these Jobs; not those that a queue holds back."""
        for place, entries in self._jobs.items():
            jobs = [entry.seen.job for entry in entries.values()]
            waiting = [job for job in jobs if job.phase is JobPhase.PENDING and not job.deleting]
            if waiting:
                yield place, waiting

    def put(self, document: Mapping[str, Any], started_at: float | None = None) -> str | None:
        """Take in a Job as the API server has it now; return its uid, None if it can't be read.

        `started_at` is when its pod started, in seconds since 1970, where that is known.
        """
        seen = self._read(document)
        if seen is None:
            self.remove(document)  # somebody changed what made it a trial's
            return None
        place = (seen.namespace, seen.study_uid)
        entry = self._jobs.get(place, {}).get(seen.job.name)
        if entry is not None and entry.seen.uid != seen.uid:
            self._drop(entry.seen.uid)
            entry = None
        before = entry.seen if entry else None
        now = merge(seen, before, started_at, self._clock.now())
        self.position += 1
        position = entry.position if entry else self.position
        self._jobs.setdefault(place, {})[now.job.name] = _Entry(now, position)
        self._places[now.uid] = (place, now.job.name)
        if place in self._vanished:
            self._vanished[place].discard((now.job.trial, now.job.attempt))
        if _asks(now.job, before.job if before else None):
            self.unclear.put_nowait((place, now.job.name))
        if before is None or before.job != now.job:
            self._on_change(now.study_uid)
        return now.uid

    def put_created(self, document: Mapping[str, Any]) -> None:
        """Take in the answer to a POST, unless the watch was faster: what it saw since is newer."""
        uid = document["metadata"]["uid"]
        if uid in self._places:
            return
        seen = self._read(document)
        if seen is not None:
            vanished = self._vanished.get((seen.namespace, seen.study_uid))
            if vanished is None or vanished.uid((seen.job.trial, seen.job.attempt)) != uid:
                self.put(document)

    def mark_deleting(self, study: StudyKey, name: str) -> None:
        """Note that a deletion was accepted, before the watch shows it."""
        self._change(_place(study), name, deleting=True)

    def explain(self, place: StudyPlace, name: str, message: str) -> None:
        """Note why a pending Job's pod does not start."""
        self._change(place, name, message=message)

    def at(self, place: StudyPlace, name: str) -> SeenJob | None:
        """Return one Job; None where it is gone."""
        entry = self._jobs.get(place, {}).get(name)
        return entry.seen if entry else None

    def set_cause(self, place: StudyPlace, name: str, cause: str) -> None:
        """Note why a Job's pod ended or is to end; empty: nobody knows more, which is the last word once it failed."""
        entry = self._jobs.get(place, {}).get(name)
        if entry is not None and (cause or entry.seen.job.awaits_cause):
            self._change(place, name, cause=cause)

    def remove(self, document: Mapping[str, Any]) -> None:
        """Take out a Job that was deleted."""
        self._drop(str((document.get("metadata") or {}).get("uid")))

    def remove_missing(self, scope: str, uids: Collection[str], position: int) -> None:
        """Take out the Jobs of a namespace (or everywhere) that a list did not have.

        `position` is the cache's when the list was asked for: what came in since is newer than the list.
        """
        for (namespace, _), entries in list(self._jobs.items()):
            if scope in (EVERYWHERE, namespace):
                for entry in list(entries.values()):
                    if entry.seen.uid not in uids and entry.position <= position:
                        self._drop(entry.seen.uid)
        for place, vanished in list(self._vanished.items()):
            vanished.forget_old(self._clock.now())
            if not vanished:
                del self._vanished[place]

    def _read(self, document: Mapping[str, Any]) -> SeenJob | None:
        try:
            return read_job(document, self._clock.now())
        except UnreadableJob as problem:
            metadata = document.get("metadata") or {}
            uid = str(metadata.get("uid"))
            if uid not in self._unreadable and len(self._unreadable) < _MOST_UNREADABLE:
                self._unreadable[uid] = None
                complaint = "the Job %s carries the operator's label and is left alone: %s"
                _log.warning(complaint, metadata.get("name"), problem, extra={"namespace": metadata.get("namespace")})
            return None

    def _change(self, place: StudyPlace, name: str, **fields: Any) -> None:
        entry = self._jobs.get(place, {}).get(name)
        if entry is None:
            return
        job = replace(entry.seen.job, **fields)
        if job != entry.seen.job:
            self._jobs[place][name] = replace(entry, seen=replace(entry.seen, job=job))
            self._on_change(entry.seen.study_uid)

    def _drop(self, uid: str) -> None:
        place, name = self._places.pop(uid, (None, ""))
        if place is None:
            return
        seen = self._jobs[place].pop(name).seen
        if not self._jobs[place]:
            del self._jobs[place]
        vanished = self._vanished.setdefault(place, VanishedJobs())
        vanished.add((seen.job.trial, seen.job.attempt), uid, self._clock.now())
        self._on_change(seen.study_uid)


def _asks(job: TrialJob, before: TrialJob | None) -> bool:
    """Return whether a Job's pod is to be asked now why it ends.

    It says so when it is told to end, and may be gone before its Job has failed; then it is asked once more.
    """
    if job.awaits_cause:
        return before is None or not before.awaits_cause
    leaves = job.phase in (JobPhase.PENDING, JobPhase.RUNNING) and job.terminating_since is not None
    is_news = before is None or before.terminating_since is None
    return leaves and is_news and job.cause is None and not job.deleting


def _place(study: StudyKey) -> StudyPlace:
    return study.namespace, study.uid
