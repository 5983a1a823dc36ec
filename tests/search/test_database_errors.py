"""What goes wrong with a database is told in sentences, and nothing is lost by it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import psycopg
import pytest

from tests.search.studies import KEY, batch, outcome, study_spec
from tests.search.worlds import DatabaseWorld, FaultyStatements
from tuning_operator.api.study import StudySpec
from tuning_operator.errors import InvalidStudy, StorageDamaged, StorageUnavailable
from tuning_operator.search import StudyRepositories, connections
from tuning_operator.search.study_record import study_name
from tuning_operator.settings import InvalidSetting


@pytest.mark.parametrize("url", ["tuning.db", "mysql://host/x", "sqlite://", "sqlite:///:memory:", "redis://h"])
def test_other_storages_are_refused(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"write sqlite:///FILE or postgresql://"):
        StudyRepositories(url)


def test_nothing_is_touched_before_the_first_use(tmp_path: Path) -> None:
    StudyRepositories(f"sqlite:///{tmp_path / 'tuning.db'}")
    assert not (tmp_path / "tuning.db").exists()


async def test_listing_the_studies_of_a_file_that_does_not_exist_does_not_make_it(tmp_path: Path) -> None:
    repositories = StudyRepositories(f"sqlite:///{tmp_path / 'tuning.db'}")
    assert await repositories.list_studies() == []
    assert not (tmp_path / "tuning.db").exists()


async def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "tuning.db"
    path.write_text("This is a letter, not a database.\n" * 100)
    repositories = StudyRepositories(f"sqlite:///{path}")
    with pytest.raises(StorageDamaged, match=r"tuning.db can't be read: its file is not an SQLite database"):
        await repositories.open(KEY, study_spec())
    assert path.read_text().startswith("This is a letter")


async def test_a_file_with_overwritten_pages_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "tuning.db"
    world = DatabaseWorld(f"sqlite:///{path}")
    await (await world.open()).ask(50)
    await world.repositories.aclose()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    await world.restart()
    with pytest.raises(StorageDamaged, match="its file is damaged; restore it from a backup"):
        await world.open()
    await world.repositories.aclose()


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    repositories = StudyRepositories(f"sqlite:///{tmp_path / 'missing' / 'tuning.db'}")
    with pytest.raises(StorageUnavailable, match="its folder must exist and be writable"):
        await repositories.open(KEY, study_spec())


async def test_a_locked_file_is_unavailable_until_it_is_unlocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.05)
    path = tmp_path / "tuning.db"
    world = DatabaseWorld(f"sqlite:///{path}")
    study = await world.open()
    await study.ask(1)
    before = study.history()
    somebody = sqlite3.connect(path)
    somebody.execute("BEGIN IMMEDIATE")
    for write in (study.ask(1), study.report(0, 1, batch((1, 0.5))), study.tell([outcome(0)])):
        with pytest.raises(StorageUnavailable, match="another process holds its lock"):
            await write
    assert study.history() == before
    somebody.rollback()
    somebody.close()
    await study.report(0, 1, batch((1, 0.5)))
    await study.tell([outcome(0)])
    assert (await study.ask(1))[0].number == 1
    await world.repositories.aclose()


async def test_an_unreachable_server_is_unavailable_and_its_password_stays_secret() -> None:
    repositories = StudyRepositories("postgresql://tuner:s3cret@127.0.0.1:1/tuning")
    with pytest.raises(StorageUnavailable, match="does not answer") as error:
        await repositories.open(KEY, study_spec())
    assert "tuner:***@127.0.0.1:1/tuning" in str(error.value)
    assert "s3cret" not in str(error.value)


async def test_a_refused_login_says_so(postgresql_url: str) -> None:
    _, _, host = postgresql_url.rpartition("@")
    repositories = StudyRepositories(f"postgresql://nobody_of_this_name:w{{r}}ong%25@{host}")
    with pytest.raises(StorageUnavailable, match="nobody_of_this_name"):
        await repositories.open(KEY, study_spec())


async def test_a_server_that_dropped_its_connections_is_used_again(postgresql_url: str) -> None:
    world = DatabaseWorld(postgresql_url)
    study = await world.open()
    await study.ask(1)
    _terminate_backends(postgresql_url)
    await study.report(0, 1, batch((1, 0.5)))
    with FaultyStatements(world.database, 1), pytest.raises(StorageUnavailable):
        await study.report(0, 1, batch((2, 0.75)))
    _terminate_backends(postgresql_url)
    await study.report(0, 1, batch((2, 0.75)))
    assert study.history().open[0].value == 0.75
    assert (await world.reopen()).history() == study.history()
    await world.repositories.aclose()


async def test_a_trial_that_somebody_else_wrote_is_found_at_the_next_ask(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(2)
    _somebody_asks(world)
    with pytest.raises(StorageDamaged, match="somebody else writes trials into this study"):
        await study.ask(1)
    assert study.history().total == 2
    with pytest.raises(StorageDamaged, match="somebody else wrote a trial 2"):
        await world.reopen()


async def test_a_study_that_was_deleted_behind_our_back_is_damaged(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(1)
    with world.in_optuna() as theirs:
        optuna.delete_study(study_name=theirs.study_name, storage=theirs._storage)
    with pytest.raises(StorageDamaged, match="somebody deleted the study"):
        await study.ask(1)


async def test_a_study_with_another_search_space_is_refused_with_each_difference(world: DatabaseWorld) -> None:
    await (await world.open()).ask(1)
    await world.restart()
    world.spec = study_spec(
        parameters=(
            {"name": "rate", "type": "Float", "low": 1e-5, "high": 1.0, "scale": "Log"},
            {"name": "units", "type": "Int", "low": 16, "high": 64, "step": 16},
            {"name": "layers", "type": "Int", "low": 1, "high": 3},
            {"name": "epochs", "type": "Fixed", "value": 5},
        ),
        direction="Minimize",
    )
    with pytest.raises(InvalidStudy) as error:
        await world.open()
    assert [problem.partition(";")[0] for problem in error.value.problems] == [
        "the parameter `rate` differs from the study's stored history",
        "the parameter `optimizer` was left out since the study's stored history",
        "the parameter `layers` is not in the study's stored history",
        "`objectives` differs from the study's stored history",
    ]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, []),
        (
            {"enqueue": [{"units": 32}]},
            ["`search.enqueue` differs from the study's stored history, which began with it"],
        ),
        (
            {"warmStart": [{"csv": "rate,score"}]},
            ["`search.warmStart` differs from the study's stored history, which began with it"],
        ),
        ({"seed": 8}, ["`search.seed` is 8, but 7 in the study's stored history"]),
        ({"seed": None}, ["`search.seed` is not there, but 7 in the study's stored history"]),
        ({"deterministic": True}, ["`search.deterministic` is true, but false in the study's stored history"]),
    ],
    ids=str,
)
async def test_what_a_study_began_with_can_not_be_changed_afterwards(
    world: DatabaseWorld, search: dict[str, Any], expected: list[str]
) -> None:
    """It would be passed over in silence; another sampler goes on with what was found."""
    world.spec = study_spec(search={"sampler": {"name": "TPE"}, "enqueue": [{"units": 16}]})
    await (await world.open()).ask(1)
    await world.restart()
    world.spec = study_spec(search={"sampler": {"name": "NSGAII"}, "enqueue": [{"units": 16}], **search})
    if not expected:
        assert (await world.open()).history().total == 1
        return
    with pytest.raises(InvalidStudy) as error:
        await world.open()
    assert [problem.partition(";")[0] for problem in error.value.problems] == expected


HYPERBAND = {"name": "SynchronousHyperband", "options": {"maxResource": 9}}


@pytest.mark.parametrize(
    ("sampler", "is_refused"),
    [
        ({**HYPERBAND, "options": {"maxResource": 27}}, True),
        ({**HYPERBAND, "options": {"maxResource": 9, "reductionFactor": 2}}, True),
        ({"name": "PopulationBasedTraining", "options": {"interval": 1, "generations": 2}}, True),
        ({**HYPERBAND, "options": {"maxResource": 9, "iterations": 2}}, False),
        ({"name": "Random"}, False),
    ],
    ids=str,
)
async def test_a_strategys_plan_can_not_be_changed_in_its_middle(
    world: DatabaseWorld, sampler: dict[str, Any], is_refused: bool
) -> None:
    """Trials that trained differently far would be compared; only more rounds are as they were."""

    def spec(sampler: dict[str, Any]) -> StudySpec:
        document = study_spec(search={"sampler": {"name": "Random"}}).to_document()
        document["search"] = {"seed": 7, "sampler": sampler}
        document["trial"]["checkpoints"] = {"claimName": "claim"}
        return StudySpec.model_validate(document)

    world.spec = spec(HYPERBAND)
    await (await world.open()).ask(1)
    await world.restart()
    world.spec = spec(sampler)
    if not is_refused:
        assert (await world.open()).history().total == 1
        return
    with pytest.raises(InvalidStudy, match="is not the strategy of the study's stored history, or has other options"):
        await world.open()


async def test_a_study_that_began_without_a_seed_may_get_one(world: DatabaseWorld) -> None:
    world.spec = study_spec(search={"seed": None})
    await (await world.open()).ask(1)
    await world.restart()
    world.spec = study_spec(search={"seed": 8})
    assert (await world.open()).history().total == 1


async def test_what_an_earlier_version_did_not_store_may_be_anything(world: DatabaseWorld) -> None:
    study = await world.open()
    await study.ask(1)
    storage = optuna.storages.RDBStorage(_url(world))
    study_id = storage.get_study_id_from_name(study_name(KEY))
    search = storage.get_study_system_attrs(study_id)["tuning:search"]
    known = {name: search[name] for name in search.keys() - {"seed", "deterministic", "enqueued", "warm_start"}}
    storage.set_study_system_attr(study_id, "tuning:search", known)
    storage.engine.dispose()
    await world.restart()
    world.spec = study_spec(search={"seed": 8, "deterministic": True, "enqueue": [{"units": 16}]})
    assert (await world.open()).history().total == 1


async def test_a_study_whose_first_ask_is_under_way_keeps_its_search(world: DatabaseWorld) -> None:
    study = await world.open()
    asking = asyncio.create_task(study.ask(1))
    await asyncio.sleep(0)
    with pytest.raises(InvalidStudy):
        await world.repositories.open(KEY, study_spec(metric="loss"))
    (trial,) = await asking
    assert trial.number == 0
    assert await world.open() is study


def _somebody_asks(world: DatabaseWorld) -> None:
    with world.in_optuna() as theirs:
        theirs.ask()


def _url(world: DatabaseWorld) -> str:
    return world.database.url.render_as_string(hide_password=False)


def _terminate_backends(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
