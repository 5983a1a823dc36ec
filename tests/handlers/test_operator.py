"""Whole operators in this process, on a real API server: election, start, outage and stop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster_api.cluster import create_study, credentials, install_crd, study_document
from tests.cluster_api.trial_jobs_suite import keep_trying, until
from tests.support.control_plane import ControlPlane
from tuning_operator.api.names import API_VERSION, PLURAL
from tuning_operator.errors import LeaseLost
from tuning_operator.handlers.main import Operator
from tuning_operator.settings import Settings

NewOperator = Callable[[str], Operator]


@pytest.fixture
def new_operator(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> NewOperator:
    """Makes operators that watch the test's namespace and elect with a Lease of 6 s."""
    install_crd(control_plane)

    def new(identity: str) -> Operator:
        settings = Settings(
            storage_url=f"sqlite:///{tmp_path}/tuning.db",
            namespaces=(namespace,),
            lease_namespace=namespace,
            lease_duration=6.0,
            lease_renew_deadline=5.0,
            identity=identity,
            report_host="127.0.0.1",
            report_port=0,
            probe_port=0,
        )
        return Operator(settings, lambda: credentials(control_plane))

    return new


@asynccontextmanager
async def started(operator: Operator) -> AsyncIterator[asyncio.Task[None]]:
    """Run an operator, and stop it at the end if it still runs."""
    task = asyncio.create_task(operator.run())
    try:
        await until(lambda: task.done() or operator.is_ready, "the operator does not get ready")
        yield task
    finally:
        operator.stop()
        await asyncio.wait([task], timeout=30)
        assert task.done(), "the operator does not stop"


async def test_a_study_gets_its_first_job_and_a_stopped_operator_gives_its_lease_up(
    new_operator: NewOperator, control_plane: ControlPlane, namespace: str
) -> None:
    async with started(new_operator("a")) as task:
        create_study(control_plane, namespace, "digits")
        await _until_jobs(control_plane, namespace, 1)
    assert task.exception() is None
    lease = control_plane.api.get(_lease_path(namespace))
    assert lease["spec"]["holderIdentity"] == ""


async def test_a_study_with_annotations_that_look_like_kopfs_is_followed(
    new_operator: NewOperator, control_plane: ControlPlane, namespace: str
) -> None:
    async with started(new_operator("a")):
        study: dict[str, Any] = study_document("poisoned")
        keys = ("kopf.zalando.org/last-handled-configuration", "tuning-operator.io/last-handled-configuration")
        study["metadata"]["annotations"] = dict.fromkeys(keys, "{")
        control_plane.api.create(f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}", study)
        await _until_jobs(control_plane, namespace, 1)


async def test_a_deleted_study_is_let_go_at_once_and_has_no_finalizer(
    new_operator: NewOperator, control_plane: ControlPlane, namespace: str
) -> None:
    async with started(new_operator("a")):
        create_study(control_plane, namespace, "digits")
        await _until_jobs(control_plane, namespace, 1)
        path = f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"
        assert "finalizers" not in control_plane.api.get(f"{path}/digits")["metadata"]
        control_plane.api.delete(f"{path}/digits")
        assert control_plane.api.get(path)["items"] == []
        await _until_jobs(control_plane, namespace, 0)


async def test_a_standby_is_ready_and_takes_over(
    new_operator: NewOperator, control_plane: ControlPlane, namespace: str
) -> None:
    first, second = new_operator("a"), new_operator("b")
    async with started(first), started(second):
        assert first.is_active
        assert not second.is_active
        first.stop()
        await until(lambda: second.is_active, "the standby does not take over")
        create_study(control_plane, namespace, "digits")
        await _until_jobs(control_plane, namespace, 1)


async def test_an_operator_whose_lease_is_taken_ends(
    new_operator: NewOperator, control_plane: ControlPlane, namespace: str
) -> None:
    async with started(new_operator("a")) as task:
        control_plane.api.merge_patch(_lease_path(namespace), {"spec": {"holderIdentity": "somebody else"}})
        await until(task.done, "the operator goes on")
        assert isinstance(task.exception(), LeaseLost)
    lease = control_plane.api.get(_lease_path(namespace))
    assert lease["spec"]["holderIdentity"] == "somebody else"


async def test_an_operator_whose_database_is_taken_over_ends_although_it_holds_the_lease(
    new_operator: NewOperator, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    async with started(new_operator("a")) as task:
        with sqlite3.connect(tmp_path / "tuning.db") as connection:
            connection.execute("UPDATE tuning_leaders SET number = number + 1, holder = 'operator b'")
        create_study(control_plane, namespace, "digits")
        await until(task.done, "the operator goes on")
        assert isinstance(task.exception(), LeaseLost)
        assert "operator b took the database over" in str(task.exception())
    await _until_jobs(control_plane, namespace, 0)


async def test_a_restart_of_the_api_server_is_survived(
    new_operator: NewOperator, control_plane: ControlPlane, namespace: str
) -> None:
    async with started(new_operator("a")) as task:
        create_study(control_plane, namespace, "before")
        await _until_jobs(control_plane, namespace, 1)
        await asyncio.to_thread(control_plane.restart, "kube-apiserver")
        if task.done():
            assert isinstance(task.exception(), LeaseLost), "a restart may take longer than the Lease lasts"
            return
        create_study(control_plane, namespace, "after")
        await _until_jobs(control_plane, namespace, 2)


async def _until_jobs(control_plane: ControlPlane, namespace: str, count: int) -> None:
    async def are_there() -> bool:
        found = await asyncio.to_thread(control_plane.api.get, f"/apis/batch/v1/namespaces/{namespace}/jobs")
        return len(found["items"]) == count

    await keep_trying(are_there, f"there never were {count} Jobs")


def _lease_path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/tuning-operator"
