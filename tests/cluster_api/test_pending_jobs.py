"""Why a Job's pod does not start, found out on a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster_api.cluster import ClusterWorld
from tests.cluster_api.trial_jobs_suite import keep_trying
from tests.fakes import FakeClock
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.pending_jobs import PATIENCE, PendingJobs, pod_reason
from tuning_operator.ports import Clock


class AheadClock(FakeClock):
    """The machine's clock, moved to when Jobs have been waiting for too long; each look is due."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.now() + PATIENCE)

    def now(self) -> float:
        self.advance(120)
        return super().now()


async def _message(world: ClusterWorld, client: ClusterClient, clock: Clock, words: str) -> None:
    """Return when the only Job's message contains the words."""
    pending = PendingJobs(client, world.cache, AheadClock(clock))

    async def is_explained() -> bool:
        await pending.look()
        return any(words in job.message for job in world.jobs.observed(world.study))

    await keep_trying(is_explained, f"no message contains {words!r}")


def _managed(world: ClusterWorld) -> Any:
    manifest: Any = world.manifest(world.study, 0)
    del manifest["spec"]["managedBy"]
    return manifest


async def test_a_pod_that_fits_on_no_node_is_explained(
    cluster_world: ClusterWorld, client: ClusterClient, clock: Clock
) -> None:
    manifest = _managed(cluster_world)
    manifest["spec"]["template"]["spec"]["nodeSelector"] = {"accelerator": "none-such"}
    await cluster_world.jobs.create(cluster_world.study, manifest)
    await _message(cluster_world, client, clock, "Unschedulable: ")


async def test_a_missing_service_account_is_explained(
    cluster_world: ClusterWorld, client: ClusterClient, clock: Clock
) -> None:
    manifest = _managed(cluster_world)
    manifest["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    await cluster_world.jobs.create(cluster_world.study, manifest)
    await _message(cluster_world, client, clock, 'serviceaccount "nobody" not found')


async def test_a_job_that_waits_for_a_moment_is_not_asked_about(
    cluster_world: ClusterWorld, client: ClusterClient, clock: Clock
) -> None:
    await cluster_world.jobs.create(cluster_world.study, cluster_world.manifest(cluster_world.study, 0))
    asked: list[str] = []
    credentials = await client.credentials()
    async with ClusterClient(lambda: credentials, lambda verb, _code: asked.append(verb)) as counting:
        await PendingJobs(counting, cluster_world.cache, clock).look()
        assert asked == []
        await PendingJobs(counting, cluster_world.cache, AheadClock(clock)).look()
        assert asked == ["GET", "GET"], "pods, and Events where there is no pod"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({}, ""),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]},
            "ErrImagePull: not found",
        ),
        (
            {
                "initContainerStatuses": [{"state": {"waiting": {"reason": "CreateContainerConfigError"}}}],
                "containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            "CreateContainerConfigError",
        ),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}]},
            "Unschedulable: 0/1",
        ),
    ],
)
def test_a_pods_reason_is_the_schedulers_or_the_kubelets(status: dict[str, Any], reason: str) -> None:
    assert pod_reason({"status": status}) == reason
