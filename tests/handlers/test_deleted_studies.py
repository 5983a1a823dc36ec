"""Histories go with their studies, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import ClusterUnavailable, StorageDamaged, StorageUnavailable
from tuning_operator.handlers.deleted_studies import DeletedStudies

DELETE, RETAIN = DeletionPolicy.DELETE, DeletionPolicy.RETAIN


class Tasks:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.deleted: list[str] = []

    def study_changed(self, document: Mapping[str, Any]) -> None:
        self.changed.append(document["metadata"]["uid"])

    def study_deleted(self, uid: str, last: Mapping[str, Any] | None = None) -> None:
        self.deleted.append(uid)


class Histories:
    """A storage; errors are raised one each by deletions."""

    def __init__(self, **policies: DeletionPolicy) -> None:
        self.policies = {StudyKey("team", uid, uid): policy for uid, policy in policies.items()}
        self.errors: dict[str, Exception] = {}

    @property
    def uids(self) -> list[str]:
        """What is left."""
        return [study.uid for study in self.policies]

    async def keep_policy(self, study: StudyKey, policy: DeletionPolicy) -> None:
        if study in self.policies:
            self.policies[study] = policy

    async def deletable(self) -> list[StudyKey]:
        return [study for study, policy in self.policies.items() if policy is DELETE]

    async def delete_history(self, study: StudyKey) -> None:
        if study.uid in self.errors:
            raise self.errors.pop(study.uid)
        del self.policies[study]


class Cluster:
    """Studies that exist; a list fails as often as is wanted."""

    def __init__(self, *uids: str) -> None:
        self.uids = list(uids)
        self.outages = 0
        self.lists = 0

    async def list_studies(self) -> list[dict[str, Any]]:
        if self.outages:
            self.outages -= 1
            raise ClusterUnavailable("the second page does not come")
        self.lists += 1
        return [study(uid) for uid in self.uids]


def study(uid: str, policy: str | None = None) -> dict[str, Any]:
    """Return a study as the API server shows it."""
    spec = {} if policy is None else {"deletionPolicy": policy}
    return {"metadata": {"namespace": "team", "name": uid, "uid": uid}, "spec": spec}


@asynccontextmanager
async def running(
    histories: Histories, cluster: Cluster, namespaces: tuple[str, ...] = (), tasks: Tasks | None = None
) -> AsyncIterator[DeletedStudies]:
    """Run, comparing storage and cluster very often."""
    deleted = DeletedStudies(tasks or Tasks(), histories, cluster.list_studies, namespaces)
    task = asyncio.create_task(deleted.run(0.005))
    try:
        yield deleted
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - the fakes have nothing to wait for
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr("tuning_operator.handlers.deleted_studies.RETRY_SECONDS", 0.005)


async def test_what_was_deleted_while_the_operator_was_down_goes_at_its_start() -> None:
    histories = Histories(gone=DELETE, kept=RETAIN, alive=DELETE)
    async with running(histories, Cluster("alive")):
        await until(lambda: histories.uids == ["kept", "alive"])


async def test_a_list_that_fails_deletes_nothing() -> None:
    histories, cluster = Histories(gone=DELETE, alive=DELETE), Cluster("alive")
    cluster.outages = 3
    async with running(histories, cluster):
        await until(lambda: cluster.outages == 1)
        assert histories.uids == ["gone", "alive"]
        await until(lambda: histories.uids == ["alive"])


async def test_a_study_of_a_namespace_that_is_not_watched_is_left_alone() -> None:
    histories = Histories(gone=DELETE)
    elsewhere = StudyKey("other", "x", "x")
    histories.policies[elsewhere] = DELETE
    async with running(histories, Cluster(), ("team",)):
        await until(lambda: [*histories.policies] == [elsewhere])


async def test_nothing_is_listed_as_long_as_all_studies_exist() -> None:
    histories, cluster = Histories(alive=DELETE), Cluster("alive")
    deleted = DeletedStudies(Tasks(), histories, cluster.list_studies)
    deleted.study_changed(study("alive"))
    task = asyncio.create_task(deleted.run(0.001))
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert cluster.lists == 0
    assert histories.uids == ["alive"]


@pytest.mark.parametrize(("stored", "last", "left"), [(DELETE, RETAIN, ["a"]), (RETAIN, DELETE, [])])
async def test_the_policy_counts_that_the_study_had_in_the_end(
    stored: DeletionPolicy, last: DeletionPolicy, left: list[str]
) -> None:
    histories, cluster, tasks = Histories(a=stored, b=DELETE), Cluster("a", "b"), Tasks()
    async with running(histories, cluster, tasks=tasks) as deleted:
        for uid in ("a", "b"):
            deleted.study_changed(study(uid))
        cluster.uids.clear()
        deleted.study_deleted("a", study("a", last))
        deleted.study_deleted("b", study("b", DELETE))
        await until(lambda: histories.uids == left)
    assert (tasks.changed, tasks.deleted) == (["a", "b"], ["a", "b"])


async def test_a_study_that_was_only_missing_in_a_list_has_the_stored_policy() -> None:
    histories, cluster = Histories(a=DELETE, b=RETAIN), Cluster()
    async with running(histories, cluster) as deleted:
        deleted.study_deleted("a")
        deleted.study_deleted("b")
        await until(lambda: histories.uids == ["b"])


async def test_a_storage_that_is_away_or_damaged_holds_up_no_other_study(caplog: pytest.LogCaptureFixture) -> None:
    histories = Histories(a=DELETE, b=DELETE, c=DELETE)
    histories.errors = {"a": StorageUnavailable("away"), "b": StorageDamaged("odd")}
    async with running(histories, Cluster()):
        await until(lambda: histories.uids == [])
    assert "the history of team/b can't be deleted: odd" in caplog.text


@pytest.mark.parametrize("last", [{}, {"metadata": None}, {"metadata": {"uid": "a"}, "spec": 7}])
async def test_an_odd_object_harms_nobody(last: dict[str, Any]) -> None:
    histories = Histories(gone=DELETE)
    async with running(histories, Cluster()) as deleted:
        deleted.study_deleted("a", last)
        await until(lambda: histories.uids == [])
