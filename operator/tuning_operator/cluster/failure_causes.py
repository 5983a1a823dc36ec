"""Asks the pods of failed Jobs why they ended, where the Job's own condition does not say it.

A Job's condition tells a disruption from an exit code, but not a preemption from a lost node, nor an exit code 137 of
the kernel's memory limit from any other SIGKILL. Its pod does, for as long as it exists.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache, StudyPlace
from tuning_operator.errors import TuningError

_log = logging.getLogger(__name__)

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
"""Label that the Job controller gives to pods."""
_LONGEST_CAUSE = 64
_TIMEOUT = 5.0
"""Seconds for an answer; without one the cause stays unknown, for a trial's end must not wait for long."""


class FailureCauses:
    """Finds the causes that a cache awaits, for as long as `run` runs."""

    def __init__(self, client: ClusterClient, cache: JobCache) -> None:
        self._client = client
        self._cache = cache

    async def run(self) -> None:
        """Ask whenever a Job failed for an unclear cause, until cancelled."""
        while True:
            place, name = await self._cache.unclear.get()
            self._cache.set_cause(place, name, await self._cause(place, name))

    async def _cause(self, place: StudyPlace, name: str) -> str:
        selector = {"labelSelector": f"{JOB_NAME_LABEL}={name}", "limit": "10"}
        try:
            answer = await self._client.request("GET", paths.pods(place[0]), params=selector, timeout=_TIMEOUT)
        except TuningError as error:
            _log.info("why the Job %s failed can't be asked for: %s", name, error)
            return ""
        return next((cause for pod in answer.get("items") or () if (cause := pod_cause(pod))), "")


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
