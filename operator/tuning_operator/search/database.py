"""The database: its connections, its transactions, its schema."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError

from tuning_operator.errors import LeaseLost, StorageDamaged
from tuning_operator.search import migrations
from tuning_operator.search.connections import engine_arguments
from tuning_operator.search.fence import Fence, next_number
from tuning_operator.search.storage_errors import converted
from tuning_operator.settings import InvalidSetting

_SCHEMA_TRIES = 5
"""Processes that make Optuna's tables at the same moment disturb each other; each finds them made at a later try."""


def parse_url(text: str) -> URL:
    """Return a storage URL with the driver that is installed.

    Raises
    ------
    InvalidSetting
        It is no URL, or that of a database that is not supported.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise InvalidSetting("the storage URL can't be read; write sqlite:///FILE or postgresql://…") from None
    backend = url.drivername.partition("+")[0]
    if backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise InvalidSetting(f"the storage URL begins with {url.drivername}; write sqlite:///FILE or postgresql://…")


class Database:
    """A database with Optuna's tables and ours. Nothing is opened before the first use; then the schema is made.

    Every error of the database leaves its methods as `StorageUnavailable` or `StorageDamaged`.
    """

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self.fence: Fence | None = None
        """Checked at the begin of every write transaction; None: there is one process, and no election."""
        self._optuna: RDBStorage | None = None
        self._opening = threading.Lock()

    def __reduce__(self) -> tuple[type[Database], tuple[str]]:
        return Database, (self.url.render_as_string(hide_password=False),)

    @contextmanager
    def through_optuna(self) -> Iterator[RDBStorage]:
        """Use Optuna's own storage, for what is rare enough to be slow; each of its calls is a transaction."""
        with converted(self.url):
            yield self._connected()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end of the block and rolled back by an exception."""
        with converted(self.url), self._connected().engine.begin() as connection:
            self._begin_writing(connection)
            yield connection

    def _begin_writing(self, connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if self.fence is not None:
            self.fence.check(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction whose queries all see the same moment."""
        with converted(self.url), self._connected().engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            else:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    def take_over(self, election: str, holder: str, on_lost: Callable[[LeaseLost], None]) -> int:
        """Become the only writer of an election's studies; return the fencing number.

        From now on a write raises `LeaseLost`, and calls `on_lost` from its thread, once another one has taken over.
        """
        self.fence = None  # an earlier number is not this leader's
        with self.transaction() as connection:
            number = next_number(connection, election, holder)
        self.fence = Fence(election, number, on_lost)
        return number

    def exists(self) -> bool:
        """Return whether the database may be there: a file that is not is made by the first use."""
        return self.url.drivername != "sqlite" or Path(str(self.url.database)).exists()

    def close(self) -> None:
        """Close all connections; the next use opens them again."""
        with self._opening:
            if self._optuna is not None:
                self._optuna.engine.dispose()
            self._optuna = None

    def _connected(self) -> RDBStorage:
        with self._opening:
            if self._optuna is None:
                self._optuna = self._opened()
            return self._optuna

    def _opened(self) -> RDBStorage:
        storage = self._with_optunas_tables()
        try:
            with converted(self.url):
                migrations.prepare(storage)
            # Optuna's own transactions begin as ours do.
            event.listen(
                storage.scoped_session.session_factory, "after_begin", lambda *begun: self._begin_writing(begun[-1])
            )
        except BaseException:
            storage.engine.dispose()
            raise
        return storage

    def _with_optunas_tables(self) -> RDBStorage:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        for attempt in range(1, _SCHEMA_TRIES + 1):
            try:
                with converted(self.url):
                    return self._make_optunas_tables()
            except StorageDamaged:
                if attempt == _SCHEMA_TRIES:
                    raise
                time.sleep(0.05 * attempt)
        raise AssertionError("unreachable")

    def _make_optunas_tables(self) -> RDBStorage:
        # Optuna replaces {SCHEMA_VERSION} in URLs, so that other braces must be doubled.
        url = self.url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        storage = RDBStorage.__new__(RDBStorage)
        try:
            # Optuna's own check of the version takes ten times as long as all the rest.
            RDBStorage.__init__(storage, url, engine_kwargs=engine_arguments(self.url), skip_compatibility_check=True)
        except BaseException:
            if hasattr(storage, "engine"):
                storage.engine.dispose()
            raise
        return storage
