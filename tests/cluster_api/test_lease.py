"""The election of the active operator, on a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.cluster_api.cluster import credentials
from tests.cluster_api.trial_jobs_suite import until
from tests.support.control_plane import ControlPlane
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.lease import Lease
from tuning_operator.errors import LeaseLost
from tuning_operator.ports import Clock
from tuning_operator.settings import Settings

NewLease = Callable[[str], Lease]


@pytest.fixture
async def new_lease(control_plane: ControlPlane, namespace: str, clock: Clock) -> AsyncIterator[NewLease]:
    """Makes candidates for one Lease of 3 s."""
    async with contextlib.AsyncExitStack() as clients:

        def new(identity: str) -> Lease:
            client = ClusterClient(lambda: credentials(control_plane), attempts=1)
            clients.push_async_callback(client.close)
            settings = Settings(
                lease_namespace=namespace, lease_duration=3.0, lease_renew_deadline=2.0, identity=identity
            )
            return Lease(client, settings, clock)

        yield new


async def test_exactly_one_of_two_candidates_becomes_active(new_lease: NewLease) -> None:
    first, second = new_lease("a"), new_lease("b")
    async with running(first.acquire()) as one, running(second.acquire()) as two:
        await until(lambda: one.done() or two.done(), "nobody acquired the Lease")
        active, waiting = (first, second) if one.done() else (second, first)
        async with running(active.hold()):
            await asyncio.sleep(4)  # longer than the Lease lasts without renewals
            assert active.is_held
            assert not waiting.is_held
            assert waiting.holder == active.identity


async def test_a_candidate_takes_over_when_the_holder_stops_renewing(new_lease: NewLease) -> None:
    crashed, standby = new_lease("a"), new_lease("b")
    await crashed.acquire()
    await asyncio.wait_for(standby.acquire(), 30)
    assert not crashed.is_held, "the holder's deadline passed before the takeover"


async def test_the_holder_learns_of_a_takeover(new_lease: NewLease) -> None:
    paused, standby = new_lease("a"), new_lease("b")
    await paused.acquire()
    await standby.acquire()
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(paused.hold(), 30)


async def test_a_released_lease_is_taken_at_once(new_lease: NewLease) -> None:
    first, second = new_lease("a"), new_lease("b")
    await first.acquire()
    await first.release()
    with pytest.raises(LeaseLost):
        first.check_held()
    await second.acquire()
    second.check_held()


async def test_a_candidate_knows_where_the_holder_takes_reports(new_lease: NewLease) -> None:
    first, second, third = new_lease("a"), new_lease("b"), new_lease("c")
    first.address, second.address = "http://10.0.0.7:8080", "http://[fd00::7]:8080"
    await first.acquire()
    async with running(third.follow()), running(second.acquire()):
        await until(lambda: second.holder_address == first.address, "the candidate does not know the address")
        assert first.holder_address == ""
        await first.release()
        await until(lambda: third.holder_address == second.address, "the new holder's address is not seen")
    assert third.holder == second.identity


async def test_a_deleted_lease_ends_the_holder(
    new_lease: NewLease, control_plane: ControlPlane, namespace: str
) -> None:
    lease = new_lease("a")
    await lease.acquire()
    control_plane.api.delete(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/tuning-operator")
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(lease.hold(), 30)


async def test_somebody_editing_the_lease_does_not_end_the_holder(
    new_lease: NewLease, control_plane: ControlPlane, namespace: str
) -> None:
    lease = new_lease("a")
    await lease.acquire()
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/tuning-operator"
    async with running(lease.hold()) as holding:
        version = control_plane.api.merge_patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]
        await until(
            lambda: control_plane.api.get(path)["metadata"]["resourceVersion"] != version["resourceVersion"],
            "the Lease is not renewed",
        )
        assert not holding.done()
        assert lease.is_held


@contextlib.asynccontextmanager
async def running(work: Awaitable[Any]) -> AsyncIterator[asyncio.Future[Any]]:
    """Let something run beside the test."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
