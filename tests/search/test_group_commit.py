"""Reports that arrive during a commit share the next one, and are answered after it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import Connection, text

from tests.search.studies import METRIC, batch
from tests.search.worlds import DatabaseWorld, watched_transactions
from tuning_operator.errors import StorageDamaged, StorageUnavailable

TRIALS = 20


class Gate:
    """Holds the first transaction until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.transactions = 0

    def wait_at_the_first(self, number: int) -> None:
        """Count a transaction."""
        self.transactions = number
        if number == 1:
            self.reached.set()
            self.opened.wait()


async def test_reports_that_arrive_during_a_commit_share_the_next_one(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await world.open()
    await study.ask(TRIALS)
    gate = Gate()
    with watched_transactions(monkeypatch, gate.wait_at_the_first):
        first = asyncio.create_task(study.report(0, 1, batch((1, 0.5))))
        await asyncio.to_thread(gate.reached.wait)
        others = [asyncio.create_task(study.report(number, 1, batch((1, 0.5)))) for number in range(1, TRIALS)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in [first, *others])
        gate.opened.set()
        await asyncio.gather(first, *others)
    assert gate.transactions == 2
    assert [trial.value for trial in study.history().open] == [0.5] * TRIALS


async def test_a_commit_that_fails_acknowledges_nothing_and_changes_nothing(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await world.open()
    await study.ask(TRIALS)
    before = study.history()

    def refuse(_number: int) -> None:
        raise StorageUnavailable("the database is away")

    with watched_transactions(monkeypatch, refuse):
        sending = [study.report(number, 1, batch((1, 0.5))) for number in range(TRIALS)]
        results = await asyncio.gather(*sending, return_exceptions=True)
    assert all(isinstance(result, StorageUnavailable) for result in results)
    assert study.history() == before
    assert (await study.report(0, 1, batch((1, 0.25)))).wake
    assert study.history().open[0].value == 0.25


async def test_a_write_that_the_database_refuses_does_not_take_the_others_down(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(2)
    writer = world.repositories._workers.writer

    def broken(connection: Connection) -> None:
        connection.execute(text("INSERT INTO no_such_table VALUES (1)"))

    results = await asyncio.gather(
        study.report(0, 1, batch((1, 0.5))),
        writer.run(broken, lambda _: None),
        study.report(1, 1, batch((1, 0.75))),
        return_exceptions=True,
    )
    assert isinstance(results[1], StorageDamaged)
    assert [trial.value for trial in study.history().open] == [0.5, 0.75]
    assert [report.values for report in study.reports(1)] == [{METRIC: 0.75}]


async def test_memory_follows_a_commit_although_the_sender_went_away(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await world.open()
    await study.ask(1)
    gate = Gate()
    with watched_transactions(monkeypatch, gate.wait_at_the_first):
        sending = asyncio.create_task(study.report(0, 1, batch((1, 0.5))))
        await asyncio.to_thread(gate.reached.wait)
        sending.cancel()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await study.report(0, 1, batch((2, 0.75)))
    assert [report.step for report in study.reports(0)] == [1, 2]
    assert study.history().open[0].last_step == 2
    assert (await world.reopen()).history() == study.history()


async def test_commits_are_timed_and_failed_ones_counted_by_their_kind(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await world.open()
    await study.ask(1)
    value = world.metrics.registry.get_sample_value
    assert value("tuning_storage_commit_seconds_count") == 1

    def refuse(_number: int) -> None:
        raise StorageUnavailable("the database is away")

    with watched_transactions(monkeypatch, refuse), pytest.raises(StorageUnavailable):
        await study.report(0, 1, batch((1, 0.5)))
    assert value("tuning_storage_commit_seconds_count") == 1
    assert value("tuning_storage_errors_total", {"error": "StorageUnavailable"}) == 1


async def test_the_trouble_with_the_last_write_is_known_until_one_succeeds(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await world.open()
    await study.ask(1)

    def refuse(_number: int) -> None:
        raise StorageUnavailable("the database is away")

    with watched_transactions(monkeypatch, refuse), pytest.raises(StorageUnavailable):
        await study.report(0, 1, batch((1, 0.5)))
    assert study.trouble == "the database is away"
    await study.report(0, 1, batch((1, 0.5)))
    assert study.trouble == ""
