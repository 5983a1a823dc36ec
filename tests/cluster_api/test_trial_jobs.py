"""Trial Jobs on a real API server keep the port's promises, and a few more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.cluster_api.cluster import ClusterWorld
from tests.cluster_api.trial_jobs_suite import TrialJobsSuite, until
from tests.support.control_plane import ControlPlane
from tuning_operator.api.names import PARAMETERS_ANNOTATION
from tuning_operator.decisions.seen_jobs import JobPhase
from tuning_operator.decisions.stray_jobs import fingerprint_of
from tuning_operator.errors import ClusterUnavailable, JobRefused


class TestClusterTrialJobs(TrialJobsSuite):
    @pytest.fixture
    def world(self, cluster_world: ClusterWorld) -> ClusterWorld:
        return cluster_world


async def test_deleting_a_job_deletes_its_pods_too(cluster_world: ClusterWorld, control_plane: ControlPlane) -> None:
    manifest: Any = cluster_world.manifest(cluster_world.study, 0)
    del manifest["spec"]["managedBy"]  # the Job controller makes the pod
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"no": "node"}
    await cluster_world.jobs.create(cluster_world.study, manifest)
    pods = f"/api/v1/namespaces/{cluster_world.study.namespace}/pods"
    await _until_count(control_plane, pods, 1)
    await cluster_world.jobs.delete(cluster_world.study, manifest["metadata"]["name"])
    await _until_count(control_plane, pods, 0)


async def test_a_check_names_an_unknown_field(cluster_world: ClusterWorld) -> None:
    manifest: Any = cluster_world.manifest(cluster_world.study, 0)
    manifest["spec"]["template"]["spec"]["containers"][0]["comand"] = ["sleep"]
    with pytest.raises(JobRefused, match="comand"):
        await cluster_world.jobs.check(cluster_world.study, manifest)


async def test_a_check_returns_the_api_servers_warnings(
    cluster_world: ClusterWorld, control_plane: ControlPlane
) -> None:
    labels = {"pod-security.kubernetes.io/warn": "restricted"}
    control_plane.api.merge_patch(
        f"/api/v1/namespaces/{cluster_world.study.namespace}", {"metadata": {"labels": labels}}
    )
    found: list[str] = []
    for _ in range(100):  # the API server's admission learns of the label by a watch
        found = list(
            await cluster_world.jobs.check(cluster_world.study, cluster_world.manifest(cluster_world.study, 0))
        )
        if found:
            break
        await asyncio.sleep(0.1)
    assert any("restricted" in warning for warning in found)


async def test_a_full_quota_is_worth_another_try(cluster_world: ClusterWorld, control_plane: ControlPlane) -> None:
    namespace = cluster_world.study.namespace
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    control_plane.api.create(quotas, {"metadata": {"name": "no-jobs"}, "spec": {"hard": {"count/jobs.batch": "0"}}})

    def is_counted() -> bool:
        return bool(control_plane.api.get(f"{quotas}/no-jobs").get("status", {}).get("used"))

    await until(is_counted, "the quota is not counted")
    with pytest.raises(ClusterUnavailable, match="quota"):
        await cluster_world.jobs.create(cluster_world.study, cluster_world.manifest(cluster_world.study, 0))


async def test_a_namespace_that_does_not_exist_refuses_jobs(cluster_world: ClusterWorld) -> None:
    study = cluster_world.study
    nowhere = type(study)("no-such-namespace", study.name, study.uid)
    manifest: Any = cluster_world.manifest(study, 0)
    manifest["metadata"]["namespace"] = nowhere.namespace
    with pytest.raises(JobRefused, match="no-such-namespace"):
        await cluster_world.jobs.create(nowhere, manifest)


async def test_a_job_that_is_being_deleted_holds_its_name_for_a_while(cluster_world: ClusterWorld) -> None:
    manifest: Any = cluster_world.manifest(cluster_world.study, 0)
    manifest["metadata"]["finalizers"] = ["example.com/slow"]
    await cluster_world.jobs.create(cluster_world.study, manifest)
    await cluster_world.jobs.delete(cluster_world.study, manifest["metadata"]["name"])
    assert [job.deleting for job in cluster_world.jobs.observed(cluster_world.study)] == [True]
    with pytest.raises(ClusterUnavailable, match="still being deleted"):
        await cluster_world.jobs.create(cluster_world.study, manifest)


async def test_a_job_that_never_was_seen_running_counts_from_its_start(cluster_world: ClusterWorld) -> None:
    manifest = cluster_world.manifest(cluster_world.study, 0)
    await cluster_world.jobs.create(cluster_world.study, manifest)
    await cluster_world.end(manifest["metadata"]["name"], 0)

    def is_complete() -> bool:
        return [job.phase for job in cluster_world.jobs.observed(cluster_world.study)] == [JobPhase.COMPLETE]

    await until(is_complete, "the Job is not Complete")
    (job,) = cluster_world.jobs.observed(cluster_world.study)
    assert job.running_at is not None
    assert job.ended_at == job.running_at + 60


async def _until_count(control_plane: ControlPlane, path: str, count: int) -> None:
    await until(lambda: len(control_plane.api.get(path)["items"]) == count, f"{path} has not {count} objects")


async def test_a_job_with_other_parameters_is_not_taken_for_the_trials(cluster_world: ClusterWorld) -> None:
    """As after a lost or restored database: its reports would be counted for parameters that it never had."""
    study = cluster_world.study

    def manifest(parameters: str) -> Any:
        made: Any = cluster_world.manifest(study, 0)
        return {**made, "metadata": {**made["metadata"], "annotations": {PARAMETERS_ANNOTATION: parameters}}}

    await cluster_world.jobs.create(study, manifest('{"lr": 0.1}'))
    with pytest.raises(ClusterUnavailable, match="other parameters"):
        await cluster_world.jobs.create(study, manifest('{"lr": 0.5}'))
    await cluster_world.jobs.create(study, manifest('{"lr":0.1}'))
    (seen,) = cluster_world.jobs.observed(study)
    assert seen.fingerprint == fingerprint_of({"lr": 0.1}), "whoever decides what becomes of it sees it"
