"""Asks the pods of failed Jobs why they ended, where the Job's own condition does not say it.

A Job's condition tells a disruption from an exit code, but not a preemption from a lost node, nor an exit code 137 of
the kernel's memory limit from any other SIGKILL. Its pod does, for as long as it exists; so it is asked already when it
is told to end, and where that was too late its Events are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_view import SeenJob
from tuning_operator.errors import TuningError

_log = logging.getLogger(__name__)

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
"""Label that the Job controller gives to pods."""
MOST_OBJECTS = "50"
"""Pods of one Job, or Events of one pod, that one answer may have."""
_POD = re.compile(r"^Pod [^/\s]{1,63}/([a-z0-9.-]{1,253}) has condition DisruptionTarget")
"""The Job controller's words name the pod."""
_CAUSES_OF_EVENTS = {
    "Preempted": "PreemptionByScheduler",
    "TaintManagerEviction": "DeletionByTaintManager",
    "Evicted": "TerminationByKubelet",
}
"""What the scheduler, the taint manager and the kubelet announce -> the reason that they give the pod's condition."""
_LONGEST_CAUSE = 64
_TIMEOUT = 5.0
"""Seconds for an answer; without one the cause stays unknown, for a trial's end must not wait for long."""


class FailureCauses:
    """Finds the causes that a cache awaits, for as long as `run` runs."""

    def __init__(self, client: ClusterClient, cache: JobCache) -> None:
        self._client = client
        self._cache = cache

    async def run(self) -> None:
        """Ask whenever a Job's pod is told to end, or a Job failed, for an unclear cause; until cancelled."""
        while True:
            place, name = await self._cache.unclear.get()
            seen = self._cache.at(place, name)
            if seen is not None:
                self._cache.set_cause(place, name, await self._cause(seen))

    async def _cause(self, seen: SeenJob) -> str:
        try:
            cause = await self._pods_cause(seen.namespace, seen.job.name)
            pod = _POD.search(seen.job.message)
            return cause or (await self._events_cause(seen.namespace, pod.group(1)) if pod else "")
        except TuningError as error:
            _log.info("why the Job %s failed can't be asked for: %s", seen.job.name, error, extra=seen.log_fields)
            return ""

    async def _pods_cause(self, namespace: str, job: str) -> str:
        found = await self._list(paths.pods(namespace), {"labelSelector": f"{JOB_NAME_LABEL}={job}"})
        return next((cause for pod in found if (cause := pod_cause(pod))), "")

    async def _events_cause(self, namespace: str, pod: str) -> str:
        """A pod that is gone has left Events, for an hour by default."""
        selector = {"fieldSelector": f"involvedObject.kind=Pod,involvedObject.name={pod}"}
        found = await self._list(paths.collection(paths.CORE, "events", namespace), selector)
        return next((cause for event in found if (cause := _CAUSES_OF_EVENTS.get(str(event.get("reason"))))), "")

    async def _list(self, path: str, selector: Mapping[str, str]) -> list[dict[str, Any]]:
        params = {**selector, "limit": MOST_OBJECTS}
        answer = await self._client.request("GET", path, params=params, timeout=_TIMEOUT)
        return [item for item in answer.get("items") or () if isinstance(item, dict)]


def pod_cause(pod: Mapping[str, Any]) -> str:
    """Return why a pod ended: the reason of its disruption, or OOMKilled; empty: it says nothing of the kind."""
    try:
        return next(_causes(pod), "")[:_LONGEST_CAUSE]
    except (TypeError, AttributeError):
        return ""  # somebody wrote nonsense into its status


def _causes(pod: Mapping[str, Any]) -> Iterator[str]:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) == ("DisruptionTarget", "True"):
            yield str(condition.get("reason") or "")
    for container in status.get("containerStatuses") or ():
        if ((container.get("state") or {}).get("terminated") or {}).get("reason") == "OOMKilled":
            yield "OOMKilled"
