"""A deleted study's history goes, a part at a time; whose it is decides whether anybody asks for that."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from tests.search.studies import KEY, batch, outcome, study_spec
from tests.search.worlds import DatabaseWorld, watched_transactions
from tuning_contract import FinalState
from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.api.study import StudySpec
from tuning_operator.errors import NotFound, StorageUnavailable
from tuning_operator.search import deletion, tables
from tuning_operator.search.repository import StudyRepository

OTHER = replace(KEY, uid="another-uid")


def spec(policy: DeletionPolicy = DeletionPolicy.DELETE) -> StudySpec:
    """Return a study with a policy."""
    return study_spec().model_copy(update={"deletion_policy": policy})


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is full after a few rows."""
    monkeypatch.setattr(deletion, "PART_ROWS", 3)
    monkeypatch.setattr(deletion, "_PART_TRIALS", 2)


async def live(study: StudyRepository) -> None:
    """Leave something in every table."""
    await study.ask(5)
    for number in range(5):
        await study.report(number, 1, batch(*((step, 0.5) for step in range(1, 6))))
    await study.report(0, 1, batch(end=FinalState.COMPLETE))
    await study.tell([outcome(0), outcome(1)])


async def test_all_of_a_history_is_deleted_and_nothing_else(world: DatabaseWorld) -> None:
    await live(await world.repositories.open(OTHER, spec()))
    alone = rows(world)
    await live(await world.repositories.open(KEY, spec()))
    await world.repositories.delete_history(KEY)
    assert rows(world) == alone
    assert world.repositories.find(KEY.uid) is None
    await world.repositories.delete_history(KEY)
    assert rows(world) == alone


async def test_a_part_is_small_whatever_the_size_of_the_history(world: DatabaseWorld) -> None:
    await live(await world.open())
    sizes = [sum(rows(world).values())]
    with pytest.MonkeyPatch.context() as patch, watched_transactions(patch, lambda _: sizes.append(total(world))):
        await world.repositories.delete_history(KEY)
    steps = [before - after for before, after in itertools.pairwise(sizes)]
    attributes_and_study = 10
    assert max(steps) <= 3 + 2 + attributes_and_study


async def test_a_deletion_that_broke_off_goes_on(world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(await world.repositories.open(KEY, spec(DeletionPolicy.RETAIN)))

    def fail_at_the_fifth(number: int) -> None:
        if number == 5:
            raise StorageUnavailable("away")

    with watched_transactions(monkeypatch, fail_at_the_fifth), pytest.raises(StorageUnavailable):
        await world.repositories.delete_history(KEY)
    await world.restart()
    assert await world.repositories.deletable() == [KEY]
    await world.repositories.delete_history(KEY)
    assert await world.repositories.deletable() == []
    assert sum(rows(world).values()) == 0


async def test_a_report_that_comes_during_the_deletion_leaves_nothing(world: DatabaseWorld) -> None:
    study = await world.open()
    await live(study)
    late = [study.report(number, 1, batch((9, 0.5))) for number in (2, 3)]
    results = await asyncio.gather(world.repositories.delete_history(KEY), *late, return_exceptions=True)
    assert results[0] is None
    with pytest.raises(NotFound):
        await study.report(4, 1, batch((9, 0.5)))
    assert sum(rows(world).values()) == 0


async def test_the_stored_policy_follows_the_spec(world: DatabaseWorld) -> None:
    await world.repositories.open(KEY, spec(DeletionPolicy.RETAIN))
    assert await world.repositories.deletable() == []
    await world.repositories.open(KEY, spec(DeletionPolicy.DELETE))
    assert await world.repositories.deletable() == [KEY]
    await world.restart()
    assert await world.repositories.deletable() == [KEY]
    await world.repositories.open(KEY, spec(DeletionPolicy.RETAIN))
    assert await world.repositories.deletable() == []


async def test_the_policy_of_a_study_that_is_not_stored_is_not_kept(world: DatabaseWorld) -> None:
    await world.repositories.keep_policy(KEY, DeletionPolicy.DELETE)
    assert await world.repositories.deletable() == []


async def test_another_operators_studies_are_not_ours_to_delete(world: DatabaseWorld) -> None:
    world.repositories.owner = "their-lease"
    await world.repositories.open(KEY, spec())
    await world.repositories.open(OTHER, spec())
    await world.restart()
    world.repositories.owner = "our-lease"
    assert await world.repositories.deletable() == []
    await world.repositories.open(OTHER, spec())
    assert await world.repositories.deletable() == [OTHER]


def rows(world: DatabaseWorld) -> dict[str, int]:
    """Return how many rows each table has, but for those that are always there."""
    fixed = {"version_info", "tuning_schema", "tuning_keys"}
    everything = [*tables.optuna_metadata.sorted_tables, *tables.metadata.sorted_tables]
    with world.database.reading() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in everything
            if table.name not in fixed
        }


def total(world: DatabaseWorld) -> int:
    """Return how many rows there are."""
    return sum(rows(world).values())
