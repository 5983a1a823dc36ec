"""When the pods of running Jobs started: asked for once, when the operator starts and finds Jobs that run already."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tuning_operator.api.names import STUDY_UID_LABEL
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_view import parse_time
from tuning_operator.errors import TuningError

_log = logging.getLogger(__name__)


async def pod_starts(client: ClusterClient, namespace: str) -> dict[str, float]:
    """Return uid of a Job -> when its pod's containers started, in seconds since 1970.

    Without the answer running times count from now, which is no reason not to start.
    """
    params = {"labelSelector": STUDY_UID_LABEL, "fieldSelector": "status.phase=Running", "limit": "500"}
    starts: dict[str, float] = {}
    try:
        while True:
            page = await client.request("GET", paths.pods(namespace), params=params)
            for pod in page.get("items") or ():
                starts.update(_start(pod))
            proceed = (page.get("metadata") or {}).get("continue")
            if not proceed:
                return starts
            params["continue"] = proceed
    except TuningError as error:
        _log.warning("running times count from now, for the pods can't be listed: %s", error)
        return starts


def _start(pod: Mapping[str, Any]) -> dict[str, float]:
    try:
        owners = pod["metadata"].get("ownerReferences") or ()
        job = next(owner["uid"] for owner in owners if owner["kind"] == "Job")
        containers = pod["status"]["containerStatuses"]
        running = [state for each in containers if (state := (each.get("state") or {}).get("running"))]
        return {job: min(parse_time(state["startedAt"]) for state in running)}
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        return {}
