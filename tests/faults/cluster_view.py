"""What the API server has of a namespace's studies."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.api_client import ApiClient, ApiRefused

STUDIES = "/apis/tuning-operator.io/v1alpha1/namespaces/{}/tuningstudies"
JOBS = "/apis/batch/v1/namespaces/{}/jobs"
PODS = "/api/v1/namespaces/{}/pods"
EVENTS = "/apis/events.k8s.io/v1/namespaces/{}/events"

LABEL = "tuning-operator.io/"
"""Prefix of the labels and annotations that trial Jobs and their pods carry."""
ENDED = ("Complete", "Failed")
"""Phases of a study that has ended."""

Document = Mapping[str, Any]
Attempt = tuple[str, int, int]
"""Study's uid, trial, attempt."""


class ClusterAway(Exception):
    """The API server does not answer now."""


@dataclass(frozen=True)
class ClusterView:
    """Jobs were listed before anything else."""

    jobs: Sequence[Document] = ()
    pods: Sequence[Document] = ()
    studies: Sequence[Document] = ()
    events: Sequence[Document] = ()

    def study(self, uid: str) -> Document | None:
        """Return a study that exists."""
        return next((study for study in self.studies if uid_of(study) == uid), None)


def read_cluster(api: ApiClient, namespace: str) -> ClusterView:
    """Return what a namespace has. Raises ClusterAway."""
    selector = f"?labelSelector={LABEL}study-uid"
    paths = (JOBS.format(namespace) + selector, PODS.format(namespace) + selector, STUDIES.format(namespace))
    try:
        return ClusterView(*(api.get(path)["items"] for path in (*paths, EVENTS.format(namespace))))
    except (ApiRefused, OSError, http.client.HTTPException) as error:
        raise ClusterAway(str(error)) from error


def uid_of(document: Document) -> str:
    """Return an object's uid."""
    return str(document["metadata"]["uid"])


def name_of(document: Document) -> str:
    """Return an object's name."""
    return str(document["metadata"]["name"])


def attempt_of(document: Document) -> Attempt:
    """Return which attempt a Job or a pod belongs to, by its labels."""
    labels = document["metadata"]["labels"]
    return labels[f"{LABEL}study-uid"], int(labels[f"{LABEL}trial"]), int(labels[f"{LABEL}attempt"])


def is_active(job: Document) -> bool:
    """Return whether a Job may have a pod or get one, and nobody has asked for its deletion."""
    conditions = job.get("status", {}).get("conditions", ())
    ended = any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions)
    return not ended and "deletionTimestamp" not in job["metadata"]


def has_ended(study: Document) -> bool:
    """Return whether a study has come to its end."""
    return study.get("status", {}).get("phase") in ENDED
