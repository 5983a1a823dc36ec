"""A leader that was replaced writes nothing, and what it wrote before is seen by its successor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from tests.builders import new_attempt
from tests.search.studies import KEY, batch, outcome
from tests.search.worlds import DatabaseWorld
from tuning_operator.errors import LeaseLost, StorageUnavailable
from tuning_operator.search import fence

ELECTION = "tuning-system/tuning-operator"

Candidate = Callable[[], DatabaseWorld]


@pytest.fixture
async def candidate(database_url: str) -> AsyncIterator[Candidate]:
    """Makes operators on one empty database, once of each kind."""
    made: list[DatabaseWorld] = []

    def make() -> DatabaseWorld:
        made.append(DatabaseWorld(database_url))
        return made[-1]

    yield make
    for world in made:
        await world.repositories.aclose()


async def take_over(world: DatabaseWorld, losses: list[LeaseLost] | None = None, election: str = ELECTION) -> int:
    """Let an operator become the leader."""
    return await world.repositories.take_over(election, "operator-0", ([] if losses is None else losses).append)


async def test_each_leader_gets_a_larger_number(candidate: Candidate) -> None:
    assert [await take_over(candidate()) for _ in range(3)] == [1, 2, 3]


async def test_leaders_of_different_elections_do_not_disturb_each_other(candidate: Candidate) -> None:
    ours, others = candidate(), candidate()
    await take_over(ours)
    await take_over(others, election="elsewhere/tuning-operator")
    await (await ours.open()).ask(1)


async def test_a_replaced_leader_can_write_nothing_and_hears_of_it(candidate: Candidate) -> None:
    old, new = candidate(), candidate()
    losses: list[LeaseLost] = []
    await take_over(old, losses)
    study = await old.open()
    await study.ask(2)
    before = study.history()
    await take_over(new)
    writes = (
        study.ask(1),
        study.report(0, 1, batch((1, 0.5))),
        study.tell([outcome(0)]),
        study.start_attempt(new_attempt(0, 2)),
        asyncio.to_thread(study._storage.set_study_system_attr, study._record.study_id, "a", "b"),
        asyncio.to_thread(study._storage.create_new_trial, study._record.study_id),
    )
    for write in writes:
        with pytest.raises(LeaseLost, match="operator-0 took the database over in the election tuning-system/"):
            await write
    assert study.history() == before
    with pytest.raises(LeaseLost):
        await old.repositories.delete_history(KEY)
    await asyncio.sleep(0)
    assert len(losses) == len(writes) + 1
    assert (await new.open()).history() == before


async def test_a_write_that_began_before_the_takeover_is_seen_by_the_new_leader(
    candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = candidate(), candidate()
    await take_over(old)
    study = await old.open()
    await study.ask(1)
    with held_commit(monkeypatch, old) as commit:
        reporting = asyncio.create_task(study.report(0, 1, batch((1, 0.5))))
        await asyncio.to_thread(commit.reached.wait)
        taking = asyncio.create_task(take_over(new))
        await asyncio.sleep(0.2)
        assert not taking.done(), "the new leader does not wait for the old one's transaction"
        commit.opened.set()
        await taking
    await reporting
    assert (await new.open()).history().open[0].value == 0.5


async def test_a_leader_that_is_paused_within_a_transaction_does_not_hold_the_takeover(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "STALLED_SECONDS", 0.5)
    old, new = DatabaseWorld(postgresql_url), DatabaseWorld(postgresql_url)
    await take_over(old)
    study = await old.open()
    await study.ask(1)
    before = study.history()
    with held_commit(monkeypatch, old) as commit:
        reporting = asyncio.create_task(study.report(0, 1, batch((1, 0.5))))
        await asyncio.to_thread(commit.reached.wait)
        await asyncio.sleep(1)
        await take_over(new)
        successor = await new.open()
        commit.opened.set()
        with pytest.raises(StorageUnavailable, match="terminating connection"):
            await reporting
    assert successor.history() == before
    for world in (old, new):
        await world.repositories.aclose()


class Commit:
    """A commit that waits."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()


@contextmanager
def held_commit(monkeypatch: pytest.MonkeyPatch, world: DatabaseWorld) -> Iterator[Commit]:
    """Hold a world's next transaction when all its statements are done."""
    commit, real = Commit(), world.database.transaction

    @contextmanager
    def transaction() -> Iterator[Connection]:
        with real() as connection:
            yield connection
            commit.reached.set()
            commit.opened.wait()

    with monkeypatch.context() as patch:
        patch.setattr(world.database, "transaction", transaction)
        yield commit
