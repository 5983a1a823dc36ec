"""Says why Jobs have no running pod: what kubectl describe would show, in the Job's message.

A Job in itself says nothing of an image that can't be pulled, a pod that fits on no node or a ServiceAccount that does
not exist. Pods are only asked for while Jobs wait longer than usual, and Events only where there is no pod.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning_operator.api.names import STUDY_UID_LABEL
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache, StudyPlace
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.errors import TuningError
from tuning_operator.ports import Clock

_log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a Job may wait before anybody asks why: scheduling and pulling an image take their time."""
FIRST_INTERVAL = 10.0
"""Seconds until a study's pods are asked for again; it doubles while the answers stay the same."""
LONGEST_INTERVAL = 60.0
MOST_OBJECTS = "200"
"""Pods or Events that one answer may have. Where more wait, they mostly wait for the same."""
_USUAL = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons of a waiting container that are no news."""
_LONGEST_MESSAGE = 500


class PendingJobs:
    """Looks after the Jobs of a cache that wait, for as long as `run` runs."""

    def __init__(self, client: ClusterClient, cache: JobCache, clock: Clock, patience: float = PATIENCE) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._patience = patience
        self._due: dict[StudyPlace, tuple[float, float]] = {}
        """When a study is due again (seconds since 1970), and the interval after that."""
        self._complained = False

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            await asyncio.sleep(self._patience / 2)
            await self.look()

    async def look(self) -> None:
        """Explain what waits and is due."""
        now = self._clock.now()
        late = {
            place: waiting
            for place, jobs in self._cache.pending()
            if (waiting := [job for job in jobs if now - job.waiting_since > self._patience])
        }
        self._due = {place: due for place, due in self._due.items() if place in late}
        for place, jobs in late.items():
            at, interval = self._due.get(place, (0.0, FIRST_INTERVAL))
            if now < at:
                continue
            changed = await self._explain(place, jobs)
            interval = FIRST_INTERVAL if changed else min(2 * interval, LONGEST_INTERVAL)
            self._due[place] = (now + interval, interval)

    async def _explain(self, place: StudyPlace, jobs: Sequence[TrialJob]) -> bool:
        """Ask for one study; return whether there was news."""
        try:
            reasons = await self._pod_reasons(*place)
            if any(job.name not in reasons for job in jobs):
                reasons = {**await self._event_reasons(place[0]), **reasons}
        except TuningError as error:
            if not self._complained:
                _log.warning("why Jobs are pending can't be asked for: %s", error, extra={"namespace": place[0]})
            self._complained = True
            return False
        self._complained = False
        news = [job for job in jobs if reasons.get(job.name, job.message) != job.message]
        for job in news:
            self._cache.explain(place, job.name, reasons[job.name])
        return bool(news)

    async def _pod_reasons(self, namespace: str, study_uid: str) -> dict[str, str]:
        """Return name of a Job -> why its pod does not run; empty where the pod is on its way."""
        selector = {"labelSelector": f"{STUDY_UID_LABEL}={study_uid}", "fieldSelector": "status.phase=Pending"}
        found = await self._list(paths.pods(namespace), selector)
        return {job: pod_reason(pod) for pod in found if (job := _job_of(pod))}

    async def _event_reasons(self, namespace: str) -> dict[str, str]:
        """Return name of a Job -> why the Job controller can't create its pod, the newest reason."""
        selector = {"fieldSelector": "involvedObject.kind=Job,reason=FailedCreate"}
        found = await self._list(paths.collection(paths.CORE, "events", namespace), selector)
        found.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        return {
            str((event.get("involvedObject") or {}).get("name")): _sentence("FailedCreate", event.get("message"))
            for event in found
        }

    async def _list(self, path: str, selector: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = await self._client.request("GET", path, params={**selector, "limit": MOST_OBJECTS})
        return [item for item in answer.get("items") or () if isinstance(item, dict)]


def pod_reason(pod: Mapping[str, Any]) -> str:
    """Return why a pod does not run, in the words of the scheduler or the kubelet; empty: it is on its way."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _sentence(condition.get("reason"), condition.get("message"))
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next(_waiting_reasons(containers), "")


def _waiting_reasons(containers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in _USUAL:
            yield _sentence(waiting.get("reason"), waiting.get("message"))


def _job_of(pod: Mapping[str, Any]) -> str | None:
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return next((str(owner["name"]) for owner in owners if owner.get("kind") == "Job"), None)


def _sentence(reason: Any, message: Any) -> str:
    return ": ".join(str(part) for part in (reason, message) if part)[:_LONGEST_MESSAGE]
