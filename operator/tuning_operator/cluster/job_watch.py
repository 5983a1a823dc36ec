"""Keeps the Job cache up to date: list, watch, and list again whenever the watch may have missed something.

A plain watch costs a fraction of the processor time per event that handlers of a framework cost, and trial Jobs make
nearly all events.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from tuning_operator.api.names import STUDY_UID_LABEL
from tuning_operator.cluster import paths
from tuning_operator.cluster.answers import RequestRefused
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_view import has_running_pod
from tuning_operator.cluster.pod_starts import pod_starts
from tuning_operator.errors import ClusterUnavailable, Forbidden, NotFound, TuningError

_log = logging.getLogger(__name__)

PAGE = 500
"""Jobs in one answer to a list."""
LONGEST_WATCH = 290.0
"""Seconds after which the API server ends a watch, so that load spreads over its replicas."""
SILENCE = 75.0
"""Seconds without a byte after which a watch counts as dead: the API server sends a bookmark each minute."""
SHORTEST_PAUSE = 0.2
"""Seconds before the first new attempt."""
LONGEST_PAUSE = 30.0
"""Seconds between attempts in a long outage."""


class JobWatch:
    """Follows the trial Jobs of some namespaces, or of all of them (none named), for as long as `run` runs."""

    def __init__(
        self,
        client: ClusterClient,
        cache: JobCache,
        namespaces: Sequence[str] = (),
        *,
        relist_seconds: float = 300.0,
        silence: float = SILENCE,
    ) -> None:
        self._scopes = [_Scope(client, cache, scope, relist_seconds, silence) for scope in paths.scopes(namespaces)]

    async def run(self) -> None:
        """Follow until cancelled. No answer of the API server ends it."""
        async with asyncio.TaskGroup() as group:
            for scope in self._scopes:
                group.create_task(scope.run(), name=f"watch of Jobs in {scope.name}")

    async def wait_listed(self) -> None:
        """Return when all Jobs have been listed once: before that a Job that is not in the cache may exist."""
        for scope in self._scopes:
            await scope.listed.wait()


class _Scope:
    """The Jobs of one namespace, or of all."""

    def __init__(
        self, client: ClusterClient, cache: JobCache, namespace: str, relist_seconds: float, silence: float
    ) -> None:
        self._client = client
        self._cache = cache
        self._namespace = namespace
        self._relist_seconds = relist_seconds
        self._silence = silence
        self._version = ""
        """The resourceVersion that the next watch starts from; empty: list first."""
        self._listed_at = 0.0
        self._pause = 0.0
        self._outage = False
        self.name = namespace or "all namespaces"
        self.listed = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                if not self._version or self._until_relist() <= 0:
                    await self._list()
                await self._follow()
            except TuningError as error:
                if not isinstance(error, ClusterUnavailable):
                    self._version = ""  # the API server answers: what it says is that this version is of no use
                await self._wait_out(error)
            except Exception:  # noqa: BLE001 - whatever the answer was, the next list starts from nothing
                _log.exception("following the Jobs of %s met a defect, and starts anew", self.name)
                self._version = ""
                await asyncio.sleep(LONGEST_PAUSE)

    async def _list(self) -> None:
        position, uids, version = self._cache.position, set[str](), ""
        started: Mapping[str, float] | None = {} if self.listed.is_set() else None
        async for page in self._pages():
            jobs = page.get("items") or []
            if started is None and any(has_running_pod(job) for job in jobs):
                started = await pod_starts(self._client, self._namespace)
            uids.update(filter(None, (self._put(job, started or {}) for job in jobs)))
            version = page["metadata"]["resourceVersion"]
        self._cache.remove_missing(self._namespace, uids, position)
        self._version, self._listed_at = version, time.monotonic()
        self.listed.set()

    async def _pages(self) -> AsyncIterator[dict[str, Any]]:
        params = {"labelSelector": STUDY_UID_LABEL, "limit": str(PAGE)}
        while True:
            page = await self._client.request("GET", paths.jobs(self._namespace), params=params)
            if not (page.get("metadata") or {}).get("resourceVersion"):
                raise ClusterUnavailable("the API server's list of Jobs has no resourceVersion")
            yield page
            proceed = page["metadata"].get("continue")
            if not proceed:
                return
            params["continue"] = proceed

    def _put(self, job: Mapping[str, Any], started: Mapping[str, float]) -> str | None:
        uid = str((job.get("metadata") or {}).get("uid"))
        return self._cache.put(job, started.get(uid))

    async def _follow(self) -> None:
        """Watch from the known version until the server ends the stream."""
        seconds = max(1.0, min(LONGEST_WATCH * random.uniform(0.8, 1.0), self._until_relist()))
        params = {
            "labelSelector": STUDY_UID_LABEL,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(int(seconds)),
        }
        async with self._client.stream(paths.jobs(self._namespace), params=params, silence=self._silence) as lines:
            self._end_outage()
            async for line in lines:
                self._take(line)
        self._pause = 0.0
        await asyncio.sleep(SHORTEST_PAUSE)  # a proxy that closes every stream at once must not make this a busy loop

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind, job = event["type"], event["object"]
            if kind == "ERROR":
                raise RequestRefused(int(job.get("code") or 500), str(job.get("message")))
            version = job["metadata"]["resourceVersion"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RequestRefused(500, f"the watch sent something that is no event: {line[:80]!r}") from error
        if kind == "DELETED":
            self._cache.remove(job)
        elif kind in ("ADDED", "MODIFIED"):
            self._cache.put(job)
        self._version, self._pause = version, 0.0

    def _until_relist(self) -> float:
        return self._listed_at + self._relist_seconds - time.monotonic()

    def _end_outage(self) -> None:
        if self._outage:
            _log.info("the Jobs of %s are followed again", self.name)
        self._outage = False

    async def _wait_out(self, error: TuningError) -> None:
        expired = isinstance(error, RequestRefused) and error.code == 410
        if not self._outage and not expired:
            self._outage = True
            right = " Does the operator's role allow it?" if isinstance(error, Forbidden | NotFound) else ""
            _log.warning("the Jobs of %s can't be followed, and it is tried again: %s%s", self.name, error, right)
        self._pause = min(LONGEST_PAUSE, random.uniform(SHORTEST_PAUSE, max(3 * self._pause, 2 * SHORTEST_PAUSE)))
        await asyncio.sleep(self._pause)
