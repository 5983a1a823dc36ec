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
from tuning_operator.errors import ClusterUnavailable, NotFound, TuningError
from tuning_operator.trial_logs.trial_log import LogLost, OpenLog, ReadingEnded, TrialLog

_log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds after a Job's end in which its log must be read; the trial waits for that."""
SILENCE = 120.0
"""Seconds without a byte after which a stream is opened anew: half-open connections and older kubelets that lost sight
of a rotated file look like a container that prints nothing."""
SHORTEST_PAUSE = 0.5
"""Seconds before a stream that ended is opened again."""
LONGEST_PAUSE = 10.0
JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
"""Label that the Job controller gives its pods."""


@dataclass(frozen=True)
class _Pod:
    name: str
    created_at: float

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> _Pod:
        metadata = document["metadata"]
        return cls(metadata["name"], parse_time(metadata["creationTimestamp"]))


class PodLogs:
    """Reads logs of pods; `read` is for `LogReadings`."""

    def __init__(self, client: ClusterClient, cache: JobCache) -> None:
        self._client = client
        self._cache = cache

    async def read(self, log: TrialLog) -> None:
        """Read a log to its end, over all that breaks; raises what `TrialLog.report` raises."""
        pod, pause, give_up_at, said = None, SHORTEST_PAUSE, float("inf"), ""
        while True:
            opened_at, is_last = time.monotonic(), log.ended.is_set()
            if is_last:
                give_up_at = min(give_up_at, opened_at + PATIENCE)
            try:
                pod = pod or await self._pod(log)
                await self._read_once(log, pod, follow=not is_last)
                if is_last:
                    return
            except (ReadingEnded, LogLost):
                raise
            except TuningError as error:
                if str(error) != said:
                    _complain(log, error)
                pod, said = None, str(error)
                if time.monotonic() > give_up_at:
                    raise LogLost(str(error)) from error
            if time.monotonic() - opened_at > LONGEST_PAUSE:
                pause = SHORTEST_PAUSE
            await _until_ended(log, pause, is_last)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _read_once(self, log: TrialLog, pod: _Pod, *, follow: bool) -> None:
        """Read what there is, and with `follow` what comes, until the stream ends."""
        opened = await log.open(stamped=True, began=pod.created_at)
        path = f"{paths.pods(log.study.namespace)}/{pod.name}/log"
        async with self._client.chunks(path, params=_params(log, opened, follow), silence=SILENCE) as chunks:
            async for chunk in chunks:
                await opened.feed(chunk)
        if opened.complaint:
            raise ClusterUnavailable(f"the node answers: {opened.complaint}")
        if not follow:
            await opened.close()

    async def _pod(self, log: TrialLog) -> _Pod:
        """Return the Job's pod, of several the newest: a queue may have taken away an earlier one."""
        seen = self._cache.find(log.study, log.job.name)
        if seen is None:
            raise NotFound(f"the Job {log.job.name} is gone")
        selector = {"labelSelector": f"{JOB_UID_LABEL}={seen.uid}", "limit": "10"}
        listed = await self._client.request("GET", paths.pods(log.study.namespace), params=selector)
        pods = [_Pod.of(pod) for pod in listed.get("items") or () if _belongs(pod, seen.uid)]
        if not pods:
            raise NotFound(f"the Job {log.job.name} has no pod any more")
        return max(pods, key=lambda pod: pod.created_at)


def _params(log: TrialLog, opened: OpenLog, follow: bool) -> dict[str, str]:
    params = {"container": str(trainer_container(log.template).get("name", "")), "timestamps": "true"}
    if follow:
        params["follow"] = "true"
    if opened.since is not None:  # the API server knows whole seconds only
        params["sinceTime"] = datetime.fromtimestamp(int(opened.since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return params


def _belongs(pod: Mapping[str, Any], job_uid: str) -> bool:
    """A label can be written by anybody, the reference to the controller is what the API server protects."""
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return any(owner.get("uid") == job_uid and owner.get("controller") for owner in owners)


def _complain(log: TrialLog, error: TuningError) -> None:
    """Say why a log can't be read; that a stream broke off is nothing unusual while its container runs."""
    level = logging.DEBUG if isinstance(error, ClusterUnavailable) and not log.ended.is_set() else logging.WARNING
    _log.log(level, "the log of Job %s can't be read, and it is tried again: %s", log.job.name, error, extra=log.fields)


async def _until_ended(log: TrialLog, seconds: float, has_ended: bool) -> None:
    """Pause; the end of the Job ends the pause too."""
    if has_ended:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await log.ended.wait()
