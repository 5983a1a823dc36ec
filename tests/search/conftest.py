"""Databases as fixtures: one of each kind, emptied for every test, for making the schema takes longer than a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import delete

from tests.search.worlds import DatabaseWorld
from tests.support.fixtures import missing
from tests.support.postgresql import MissingServer, server_url, temporary_database
from tuning_operator.search import tables
from tuning_operator.search.database import Database
from tuning_operator.search.search_process import SearchProcess

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
"""Parameters of fixtures that exist once of each kind of database."""


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('search') / 'tuning.db'}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[Database]:
    try:
        server = server_url()
    except MissingServer as reason:
        missing(str(reason))
    with temporary_database(server) as url:
        database = Database(url)
        yield database
        database.close()


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database, once of each kind; tests use it one after the other and must not close it."""
    database: Database = request.getfixturevalue(f"_{request.param}")
    _empty(database)
    return database


@pytest.fixture
def database_url(database: Database) -> str:
    """The URL of an empty database, once of each kind."""
    return database.url.render_as_string(hide_password=False)


def _empty(database: Database) -> None:
    kept = {"version_info", "tuning_schema"}
    with database.transaction() as connection:
        for metadata in (tables.metadata, tables.optuna_metadata):
            for table in reversed(metadata.sorted_tables):
                if table.name not in kept:
                    connection.execute(delete(table))


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[DatabaseWorld]:
    """Repositories on an empty database, once of each kind."""
    world = DatabaseWorld(database_url)
    yield world
    await world.repositories.aclose()


@pytest.fixture
async def sqlite_world(_sqlite: Database) -> AsyncIterator[DatabaseWorld]:
    """Repositories on an empty SQLite database, for what does not depend on the kind."""
    _empty(_sqlite)
    world = DatabaseWorld(_sqlite.url.render_as_string(hide_password=False))
    yield world
    await world.repositories.aclose()


@pytest.fixture
def process() -> Iterator[SearchProcess]:
    process = SearchProcess()
    yield process
    process.close()
