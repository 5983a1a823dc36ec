"""Logs of trials' pods, followed live through the API server.

A stream ends for many reasons: a proxy's patience, a rotated file that an older kubelet does not follow, an API server
that restarts. So no end is believed but that of a stream that was opened after the Job had ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tuning_operator.api.trial_template import trainer_container
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_view import parse_time
from tuning_operator.errors import ClusterUnavailable, NotFound, TooManySteps, TuningError
from tuning_operator.trial_logs.trial_log import LogLost, OpenLog, ReadingEnded, TrialLog

_log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds after a Job's end in which its log must be read; the trial waits for that."""
SILENCE = 120.0
"""Seconds without a byte after which a stream is opened anew: half-open connections and older kubelets that lost sight
of a rotated file look like a container that prints nothing."""
LAST_SILENCE = 10.0
"""The same after the Job's end, when a log is not followed any more."""
SHORTEST_PAUSE = 0.5
"""Seconds before a stream that ended is opened again."""
PAUSE_AFTER_END = 2.0
"""The same after an orderly end: mostly the container's, and its Job's end, which ends the pause, is seen soon."""
LONGEST_PAUSE = 10.0
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
"""Label that the Job controller gives its pods."""


@dataclass(frozen=True)
class _Pod:
    name: str
    created_at: float
    began: float
    """When its container started, by the clock of its node, which stamps its log too."""

    @classmethod
    def of(cls, document: Mapping[str, Any], container: str) -> _Pod:
        metadata = document["metadata"]
        created_at = parse_time(metadata["creationTimestamp"])
        statuses = (document.get("status") or {}).get("containerStatuses") or ()
        states = (each.get("state") or {} for each in statuses if each.get("name") == container)
        texts = (state["startedAt"] for each in states for state in each.values() if state and state.get("startedAt"))
        started = map(parse_time, texts)
        return cls(metadata["name"], created_at, min(started, default=created_at))


class PodLogs:
    """Reads logs of pods; `read` is for `LogReadings`."""

    def __init__(self, client: ClusterClient, cache: JobCache) -> None:
        self._client = client
        self._cache = cache

    async def read(self, log: TrialLog) -> None:
        """Read a log to its end, over all that breaks; raises what `TrialLog.report` raises."""
        await _PodLog(self._client, self._cache, log).read()


class _PodLog:
    """The reading of one log."""

    def __init__(self, client: ClusterClient, cache: JobCache, log: TrialLog) -> None:
        self._client = client
        self._cache = cache
        self._log = log
        self._pod: _Pod | None = None
        """None: not known, or not any more."""
        self._is_last = False
        """Whether the Job had ended before the newest stream was opened."""
        self._pause = SHORTEST_PAUSE
        self._give_up_at = float("inf")
        """In seconds of the monotonic clock."""
        self._said = ""

    async def read(self) -> None:
        while not await self._try():
            await self._wait()

    async def _try(self) -> bool:
        """Read until the stream ends; return whether that was the log's end."""
        opened_at, self._is_last = time.monotonic(), self._log.ended.is_set()
        if self._is_last:
            self._give_up_at = min(self._give_up_at, opened_at + PATIENCE)
        try:
            await self._stream(follow=not self._is_last)
        except (ReadingEnded, LogLost, TooManySteps):
            raise
        except TuningError as error:
            self._failed(error)
            return False
        if time.monotonic() - opened_at > LONGEST_PAUSE:
            self._pause = SHORTEST_PAUSE
        self._pause = max(self._pause, PAUSE_AFTER_END)
        return self._is_last

    async def _stream(self, *, follow: bool) -> None:
        """Read what there is, and with `follow` what comes, until the stream ends."""
        self._pod = self._pod or await self._find_pod()
        opened = await self._log.open(stamped=True, began=self._pod.began)
        path = f"{paths.pods(self._log.study.namespace)}/{self._pod.name}/log"
        silence = SILENCE if follow else LAST_SILENCE
        async with self._client.chunks(path, params=_params(self._log, opened, follow), silence=silence) as chunks:
            async for chunk in chunks:
                await opened.feed(chunk)
        if opened.complaint:
            raise ClusterUnavailable(f"the node answers: {opened.complaint}")
        if not follow:
            await opened.close()

    async def _find_pod(self) -> _Pod:
        """Return the Job's pod, of several the newest: a queue may have taken away an earlier one."""
        name = self._log.job.name
        seen = self._cache.find(self._log.study, name)
        if seen is None:
            raise NotFound(f"the Job {name} is gone")
        selector = {"labelSelector": f"{JOB_UID_LABEL}={seen.uid}", "limit": "10"}
        listed = await self._client.request("GET", paths.pods(self._log.study.namespace), params=selector)
        container = _container(self._log)
        pods = [_Pod.of(pod, container) for pod in listed.get("items") or () if _belongs(pod, seen.uid)]
        if not pods:
            raise NotFound(f"the Job {name} has no pod any more")
        return max(pods, key=lambda pod: pod.created_at)

    def _failed(self, error: TuningError) -> None:
        """Take note of what went wrong; raise `LogLost` when the patience with it has ended."""
        self._complain(error)
        if self._pod is None and isinstance(error, ClusterUnavailable):
            self._give_up_at = float("inf")  # the API server itself is away: once it is back, it has the log
        elif time.monotonic() > self._give_up_at:
            raise LogLost(str(error)) from error
        self._pod = None

    def _complain(self, error: TuningError) -> None:
        """Say each trouble once; that a stream broke off is nothing unusual while its container runs."""
        if str(error) == self._said:
            return
        self._said = str(error)
        usual = isinstance(error, ClusterUnavailable) and not self._is_last
        level, name = logging.DEBUG if usual else logging.WARNING, self._log.job.name
        _log.log(level, "the log of Job %s can't be read now: %s", name, error, extra=self._log.fields)

    async def _wait(self) -> None:
        """Pause; the end of the Job ends the pause, for then the whole log is there."""
        seconds, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        if self._is_last:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._log.ended.wait()
                self._pause = SHORTEST_PAUSE


def _container(log: TrialLog) -> str:
    return str(trainer_container(log.template).get("name", ""))


def _params(log: TrialLog, opened: OpenLog, follow: bool) -> dict[str, str]:
    params = {"container": _container(log), "timestamps": "true"}
    if follow:
        params["follow"] = "true"
    if opened.since is not None:  # the API server knows whole seconds only
        params["sinceTime"] = datetime.fromtimestamp(int(opened.since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return params


def _belongs(pod: Mapping[str, Any], job_uid: str) -> bool:
    """A label can be written by anybody, the reference to the controller is what the API server protects."""
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return any(owner.get("uid") == job_uid and owner.get("controller") for owner in owners)
