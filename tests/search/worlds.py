"""Repositories on a database that a test restarts, and faults of that database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from tests.fakes import FakeClock
from tests.search.studies import KEY, study_spec
from tuning_operator.api.study import StudySpec
from tuning_operator.errors import StorageUnavailable
from tuning_operator.metrics.recording import Metrics
from tuning_operator.search import StudyRepositories
from tuning_operator.search.database import Database
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.study_record import study_name


class DatabaseWorld:
    """Repositories on a database, and one study."""

    def __init__(self, url: str, spec: StudySpec | None = None) -> None:
        self.clock = FakeClock()
        self.spec = spec or study_spec()
        self.metrics = Metrics()
        self.repositories = StudyRepositories(url, self.clock, self.metrics)
        self._url = url

    async def open(self) -> StudyRepository:
        """Open the study."""
        return await self.repositories.open(KEY, self.spec)

    async def restart(self) -> None:
        """Forget everything in memory and open the database anew."""
        await self.repositories.aclose()
        self.repositories = StudyRepositories(self._url, self.clock, self.metrics)

    async def reopen(self) -> StudyRepository:
        """Restart and open the study."""
        await self.restart()
        return await self.open()

    @contextmanager
    def in_optuna(self) -> Iterator[optuna.Study]:
        """Open the study as Optuna's users do, on a connection of their own."""
        storage = RDBStorage(self.database.url.render_as_string(hide_password=False))
        try:
            yield optuna.load_study(study_name=study_name(KEY), storage=storage)
        finally:
            storage.engine.dispose()

    @property
    def database(self) -> Database:
        """The database that is in use."""
        return self.repositories._database


class Fault(Exception):
    """What a driver raises when its server goes away."""


class FaultyStatements:
    """Lets the n-th statement from now on fail; `n` beyond the last lets all pass. Only writes are counted."""

    def __init__(self, database: Database, n: int) -> None:
        self.fired = False
        self._remaining = n
        self._engine = database._connected().engine

    def __enter__(self) -> FaultyStatements:
        event.listen(self._engine, "before_cursor_execute", self._before)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._before)

    def _before(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("SELECT", "BEGIN")):
            return
        self._remaining -= 1
        if self._remaining == 0:
            self.fired = True
            raise OperationalError(statement, {}, Fault("the server went away"))


@contextmanager
def lost_commit(monkeypatch: pytest.MonkeyPatch, nth: int = 1) -> Iterator[None]:
    """Let the n-th transaction be committed and its connection be lost before the answer."""
    real = Database.transaction
    count = 0

    @contextmanager
    def transaction(self: Database) -> Iterator[Connection]:
        nonlocal count
        count += 1
        mine = count
        with real(self) as connection:
            yield connection
        if mine == nth:
            raise StorageUnavailable("the connection was lost during the commit")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", transaction)
        yield


@contextmanager
def watched_transactions(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None]) -> Iterator[None]:
    """Call `before` with the number of each transaction, from 1, in its thread."""
    real = Database.transaction
    count = 0

    @contextmanager
    def transaction(self: Database) -> Iterator[Connection]:
        nonlocal count
        count += 1
        before(count)
        with real(self) as connection:
            yield connection

    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", transaction)
        yield
