"""Versions of the tables: ours are made in an empty database and brought up to date in an older one.

To change our tables: change `tables.py`, and append a step to `STEPS` that does the same to a database that exists. A
test compares what both lead to.
"""

from __future__ import annotations

from collections.abc import Callable

import optuna
from alembic.migration import MigrationContext
from alembic.operations import Operations
from optuna.storages import RDBStorage
from sqlalchemy import Column, Connection, Integer, String, inspect, select, update

from tuning_operator.errors import StorageDamaged
from tuning_operator.search import tables
from tuning_operator.search.connections import unhurried

Step = Callable[[Operations], None]


def _add_leaders(operations: Operations) -> None:
    operations.create_table(
        "tuning_leaders",
        Column("election", String(400), primary_key=True),
        Column("number", Integer, nullable=False),
        Column("holder", String(400), nullable=False),
    )


STEPS: tuple[Step, ...] = (_add_leaders,)
"""The first step leads from version 1 to 2, and so on; a released one is never changed or moved.

During a rollout the operator of the version before goes on writing for some seconds. So a step adds tables, indices
and columns that are nullable or have a server_default, and neither renames nor drops anything. It spells its tables
out, for those in `tables.py` will look different after the next step."""

_LOCK = 0x74756E696E67
"""Of PostgreSQL's advisory locks: "tuning" in ASCII."""


def version() -> int:
    """Return the version of our tables that this program reads and writes."""
    return 1 + len(STEPS)


def prepare(storage: RDBStorage) -> None:
    """Make our tables, or bring them up to date, beside Optuna's; processes that do so together wait for each other.

    Raises
    ------
    StorageDamaged
        The tables are of a newer version, or Optuna's of another one than this program reads and writes.
    """
    check_optuna(storage)
    with storage.engine.connect() as connection:
        if _stored_version(connection) == version():
            return
    with storage.engine.begin() as connection:
        _lock(connection)
        found = _stored_version(connection)
        if found is None:
            tables.metadata.create_all(connection)
            connection.execute(tables.schema.insert(), {"one": 1, "version": version()})
            return
        with unhurried(connection):
            _upgrade(connection, found)


def check_optuna(storage: RDBStorage) -> None:
    """Raise `StorageDamaged` unless Optuna's tables are those that this program knows; it never upgrades them."""
    found = storage.get_current_version()
    if found == tables.OPTUNA_SCHEMA_VERSION:
        return
    if found in storage.get_all_versions():
        # Other programs may use them too: that is for a person to decide.
        way_out = (
            "make a backup, end what uses the database, and run `optuna storage upgrade --storage URL` "
            f"with Optuna {optuna.__version__}"
        )
    else:
        way_out = "a newer Optuna made them: use a newer version of this program, or another database"
    raise StorageDamaged(
        f"the database {storage.engine.url!r} has version {found} of Optuna's tables, but this program needs "
        f"{tables.OPTUNA_SCHEMA_VERSION}; {way_out}"
    )


def _upgrade(connection: Connection, found: int) -> None:
    if found > version():
        raise StorageDamaged(
            f"the database {connection.engine.url!r} has version {found} of this project's tables, but this program "
            f"needs {version()}; use the version of this program that upgraded it, or a newer one"
        )
    operations = Operations(MigrationContext.configure(connection))
    for step in STEPS[found - 1 :]:
        step(operations)
    connection.execute(update(tables.schema).values(version=version()))


def _lock(connection: Connection) -> None:
    """Wait until no other process makes or changes tables, and keep them off until the transaction's end."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _stored_version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(tables.schema.name):
        return None
    return connection.execute(select(tables.schema.c.version)).scalar_one_or_none()
