"""The pods of trials, as a person looks at them: which is the newest, why it has no log yet, and its log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from tuning_operator.api.names import ATTEMPT_LABEL, STUDY_UID_LABEL, TRIAL_LABEL
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.decisions.trial_runs import COMPLETION_INDEX

SILENCE = 4 * 3600.0
"""Seconds without a byte after which a followed log counts as broken off; the kubelet's own patience."""


@dataclass(frozen=True)
class TrialPod:
    """A pod of a trial."""

    namespace: str
    name: str
    attempt: int
    run: int
    created_at: str
    waits_for: str
    """Why its containers do not run yet, in the cluster's words; empty: they do, or did."""


class TrialPods:
    """Reads pods and logs; raises what `ClusterClient.send` raises."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client

    async def newest(self, namespace: str, study_uid: str, trial: int, run: int = 0) -> TrialPod | None:
        """Return the pod of a run of a trial's newest attempt that has one."""
        selector = {"labelSelector": f"{STUDY_UID_LABEL}={study_uid},{TRIAL_LABEL}={trial}"}
        listed = await self._client.request("GET", paths.pods(namespace), params=selector)
        pods = [_pod(document) for document in listed.get("items") or ()]
        return max((pod for pod in pods if pod.run == run), key=lambda pod: (pod.attempt, pod.created_at), default=None)

    def log(
        self, pod: TrialPod, container: str | None, *, follow: bool
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a pod's log, in pieces of any size; `container` None: its only one."""
        params = {"follow": "true"} if follow else {}
        if container:
            params["container"] = container
        path = f"{paths.pods(pod.namespace)}/{pod.name}/log"
        return self._client.chunks(path, params=params, silence=SILENCE)


def _pod(document: Mapping[str, Any]) -> TrialPod:
    metadata, status = document["metadata"], document.get("status") or {}
    attempt = (metadata.get("labels") or {}).get(ATTEMPT_LABEL, "")
    run = (metadata.get("annotations") or {}).get(COMPLETION_INDEX, "0")
    return TrialPod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        attempt=int(attempt) if attempt.isdecimal() else 0,
        run=int(run) if run.isdecimal() else 0,
        created_at=metadata["creationTimestamp"],
        waits_for=_why(status) if status.get("phase") == "Pending" else "",
    )


def _why(status: Mapping[str, Any]) -> str:
    """Return why a pod is pending: what its containers wait for, else what the scheduler says."""
    waiting = (
        (container.get("state") or {}).get("waiting") or {}
        for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    )
    unscheduled = (condition for condition in status.get("conditions") or () if condition.get("status") == "False")
    for reason in (*waiting, *unscheduled):
        words = [reason.get("reason"), reason.get("message")]
        if any(words):
            return ": ".join(word for word in words if word)
    return "Pending"
