"""A client of the real API server, and the Jobs of a namespace followed with it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.cluster_api.cluster import ClusterWorld, credentials, install_crd
from tests.support.control_plane import ControlPlane
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_watch import JobWatch
from tuning_operator.ports import Clock


class WallClock:
    """Implements `Clock` with the machine's."""

    def now(self) -> float:
        return time.time()


@pytest.fixture
def clock() -> Clock:
    """The machine's clock: the API server's times are compared with it."""
    return WallClock()


@pytest.fixture(scope="session")
def study_crd(control_plane: ControlPlane) -> None:
    """The API server knows TuningStudies."""
    install_crd(control_plane)


@pytest.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[ClusterClient]:
    """A client that may do everything."""
    async with ClusterClient(lambda: credentials(control_plane)) as client:
        yield client


@pytest.fixture
async def cluster_world(
    control_plane: ControlPlane, study_crd: None, namespace: str, client: ClusterClient, clock: Clock
) -> AsyncIterator[ClusterWorld]:
    """The Jobs of a namespace, followed by a watch."""
    cache = JobCache(clock, lambda _uid: None)
    async with following(JobWatch(client, cache, [namespace])):
        yield ClusterWorld(control_plane, namespace, client, cache)


@contextlib.asynccontextmanager
async def following(watch: JobWatch) -> AsyncIterator[asyncio.Task[None]]:
    """Run a watch; it must still run at the end."""
    task = asyncio.create_task(watch.run())
    try:
        await asyncio.wait_for(watch.wait_listed(), 30)
        yield task
        assert not task.done(), "the watch ended"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
