"""The tables of an earlier version are brought up to date, those of a later one are left alone."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from optuna.storages import RDBStorage
from sqlalchemy import Column, Connection, Integer, create_engine, insert, inspect, select, text

from tests.search import first_version
from tests.search.conftest import BOTH
from tuning_operator.errors import StorageDamaged
from tuning_operator.search import migrations, tables
from tuning_operator.search.database import Database

STARTERS = 4


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tuning.db'}"
    return str(Database(request.getfixturevalue("postgresql_url")).url.render_as_string(hide_password=False))


@pytest.fixture
def first_url(empty_url: str) -> str:
    """The URL of a database as version 1 of our tables left it, with a key in it."""
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        first_version.metadata.create_all(connection)
        connection.execute(insert(first_version.metadata.tables["tuning_schema"]), {"one": 1, "version": 1})
        connection.execute(tables.keys.insert(), {"name": "credentials", "value": b"secret"})
    engine.dispose()
    return empty_url


def test_an_upgraded_database_has_the_tables_of_a_new_one_and_what_was_in_it(first_url: str) -> None:
    database = Database(first_url)
    with database.reading() as connection:
        options = {"include_name": lambda name, kind, _: kind != "table" or name.startswith("tuning_")}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata) == []
        assert connection.execute(select(tables.keys.c.value)).scalar_one() == b"secret"
        assert stored_version(connection) == migrations.version()
    database.close()


def test_each_step_is_done_once_by_processes_that_start_together(
    first_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, add_a_table))
    start_together(first_url)
    database = Database(first_url)
    with database.reading() as connection:
        assert inspect(connection).has_table("tuning_additions")
        assert stored_version(connection) == migrations.version()
    database.close()


def test_a_step_that_fails_changes_nothing(first_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = migrations.STEPS

    def fail(_operations: Operations) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(migrations, "STEPS", (*steps, add_a_table, fail))
    database = Database(first_url)
    with pytest.raises(KeyboardInterrupt), database.reading():
        pass
    monkeypatch.setattr(migrations, "STEPS", (*steps, add_a_table))
    with database.reading() as connection:
        assert stored_version(connection) == migrations.version()
    database.close()


def test_processes_may_make_the_tables_at_the_same_time(empty_url: str) -> None:
    start_together(empty_url)


def test_tables_of_a_newer_version_are_refused_and_left_alone(empty_url: str) -> None:
    newer = migrations.version() + 1
    database = Database(empty_url)
    with database.transaction() as connection:
        connection.execute(tables.schema.update().values(version=newer))
    database.close()
    with (
        pytest.raises(StorageDamaged, match=f"has version {newer} of this project's tables") as error,
        database.reading(),
    ):
        pass
    assert str(error.value).endswith("use the version of this program that upgraded it, or a newer one")
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        assert stored_version(connection) == newer
    engine.dispose()


def test_tables_of_an_older_optuna_are_refused_with_the_command_that_upgrades_them(empty_url: str) -> None:
    make_older_optuna_tables(empty_url)
    database = Database(empty_url)
    with (
        pytest.raises(StorageDamaged, match=r"has version v3\.0\.0\.d of Optuna's tables") as error,
        database.reading(),
    ):
        pass
    program, *arguments = str(error.value).partition("`")[2].partition("`")[0].replace("URL", empty_url).split()
    assert program == "optuna"
    call = "import sys; from optuna.cli import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", call, *arguments], check=True, capture_output=True)
    with database.reading() as connection:
        assert stored_version(connection) == migrations.version()
    database.close()


def test_tables_of_a_newer_optuna_are_refused(empty_url: str) -> None:
    database = Database(empty_url)
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v9.9.9'"))
    database.close()
    with pytest.raises(StorageDamaged, match="a newer Optuna made them"), database.reading():
        pass


def test_the_version_of_optunas_tables_is_that_of_the_installed_optuna(tmp_path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{tmp_path / 'optuna.db'}")
    assert storage.get_head_version() == tables.OPTUNA_SCHEMA_VERSION
    storage.engine.dispose()


def add_a_table(operations: Operations) -> None:
    """Be a step of the next version."""
    operations.create_table("tuning_additions", Column("one", Integer, primary_key=True))


def stored_version(connection: Connection) -> int:
    """Return which version of our tables a database says that it has."""
    return int(connection.execute(select(tables.schema.c.version)).scalar_one())


def start_together(url: str) -> None:
    """Open and use a database in several threads at the same moment, as several processes do."""
    together = threading.Barrier(STARTERS)

    def start() -> None:
        mine = Database(url)
        together.wait()
        with mine.transaction() as connection:
            connection.execute(tables.studies.select())
        mine.close()

    with ThreadPoolExecutor(STARTERS) as threads:
        for started in [threads.submit(start) for _ in range(STARTERS)]:
            started.result()


def make_older_optuna_tables(url: str) -> None:
    """Make Optuna's tables as its release 3.1 had them: without an index that 3.2 added."""
    storage = RDBStorage(url)
    with storage.engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_trials_study_id"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'v3.0.0.d'"))
    storage.engine.dispose()
