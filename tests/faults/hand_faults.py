"""What people and clusters do: delete, evict, drain, refuse, scribble, suspend."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from tests.faults.cluster_view import JOBS, PODS, is_active, name_of
from tests.faults.patience import delete, merge, patiently, pick, pick_study
from tests.faults.stage import LEASE, Stage
from tests.support.api_client import ApiRefused


@contextmanager
def job_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes the Job of a running trial."""
    job = pick(stage, chance, JOBS, is_active)
    delete(stage, f"{JOBS.format(stage.namespace)}/{name_of(job)}")
    yield


@contextmanager
def pod_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes the pod of a running trial."""
    pod = pick(stage, chance, PODS, _is_running)
    delete(stage, f"{PODS.format(stage.namespace)}/{name_of(pod)}")
    yield


@contextmanager
def pod_evicted(stage: Stage, chance: Random) -> Iterator[None]:
    """A node is drained."""
    pod = pick(stage, chance, PODS, _is_running)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name_of(pod)}}
    with suppress(ApiRefused):  # it has just ended
        stage.control_plane.api.create(f"{PODS.format(stage.namespace)}/{name_of(pod)}/eviction", body)
    yield


@contextmanager
def node_killed(stage: Stage, chance: Random) -> Iterator[None]:
    """The node loses its power; it comes back, and its pods' processes do not."""
    stage.node.kill()
    try:
        time.sleep(0.5)
        yield
    finally:
        stage.node.start()


@contextmanager
def quota_refuses(stage: Stage, chance: Random) -> Iterator[None]:
    """The namespace's quota has no room for a Job."""
    quotas = f"/api/v1/namespaces/{stage.namespace}/resourcequotas"
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    patiently(lambda: stage.control_plane.api.create(quotas, quota))
    try:
        yield
    finally:
        delete(stage, f"{quotas}/full")


@contextmanager
def annotations_poisoned(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody writes rubbish into the annotations of a study and of a trial's Job."""
    rubbish = {"kopf.zalando.org/last-handled-configuration": "{", "tuning-operator.io/study": "{{{"}
    study = pick_study(stage, chance)
    merge(stage, stage.path(name_of(study)), {"metadata": {"annotations": rubbish}})
    job = pick(stage, chance, JOBS, is_active)
    merge(stage, f"{JOBS.format(stage.namespace)}/{name_of(job)}", {"metadata": {"annotations": rubbish}})
    yield


@contextmanager
def suspended(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody suspends a study, and resumes it."""
    with suspended_study(stage, name_of(pick_study(stage, chance)), chance.choice(("Terminate", "Drain"))):
        yield


@contextmanager
def study_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes a study that runs."""
    delete(stage, stage.path(name_of(pick_study(stage, chance))))
    yield


@contextmanager
def lease_deleted(stage: Stage, chance: Random) -> Iterator[None]:
    """Somebody deletes the Lease."""
    delete(stage, LEASE.format(stage.namespace))
    yield


@contextmanager
def suspended_study(stage: Stage, name: str, mode: str) -> Iterator[None]:
    """Suspend a study, and resume it."""
    merge(stage, stage.path(name), {"spec": {"suspend": {"enabled": True, "mode": mode}}})
    try:
        yield
    finally:
        merge(stage, stage.path(name), {"spec": {"suspend": {"enabled": False}}})


def _is_running(pod: dict[str, Any]) -> bool:
    return pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
