"""How each kind of database is connected to, and for how long anything may take there."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Connection

RV = TypeVar("RV")

BUSY_SECONDS = 10.0
"""How long a connection to SQLite waits for another one's lock."""
CONNECT_SECONDS = 10
"""How long PostgreSQL may take to accept a connection."""
SILENT_SECONDS = 20.0
"""How long PostgreSQL may take for its next word: a server that hangs, or a network that swallows everything, must not
hold the only writer for longer. Nothing that this project asks for takes as long, but for upgrades."""
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3}
"""In seconds; networks forget connections that are silent for minutes."""
_SESSION = {
    # The server stops what nobody waits for any more.
    "statement_timeout": f"{SILENT_SECONDS:g}s",
    "lock_timeout": "10s",
}


def engine_arguments(url: URL) -> dict[str, Any]:
    """Return the arguments of SQLAlchemy's `create_engine` for a URL."""
    if url.drivername == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS, "factory": _SQLiteConnection}}
    _, parameters = url.get_dialect()().create_connect_args(url)
    options = [parameters.get("options", ""), *(f"-c {name}={value}" for name, value in _SESSION.items())]
    bounded = {"connect_timeout": CONNECT_SECONDS, **_KEEPALIVES, **parameters, "options": " ".join(options).strip()}
    return {"pool_pre_ping": True, "creator": partial(_PostgreSQLConnection.connect, **bounded)}


@contextmanager
def unhurried(connection: Connection) -> Iterator[None]:
    """Let the statements of a transaction take as long as they need."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, _PostgreSQLConnection):
        yield
        return
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    driver.silent_seconds = math.inf
    try:
        yield
    finally:
        driver.silent_seconds = SILENT_SECONDS


class _SQLiteConnection(sqlite3.Connection):
    """A connection whose commits survive a power cut, and whose readers and writer do not wait for each other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=FULL")


class _PostgreSQLConnection(psycopg.Connection[Any]):
    """A connection that is closed when its server says nothing for too long: libpq itself would wait for ever."""

    silent_seconds = SILENT_SECONDS

    def wait(self, gen: Generator[Any, int, RV], *args: Any, **kwargs: Any) -> RV:
        return super().wait(self._bounded(gen), *args, **kwargs)

    def _bounded(self, generator: Generator[Any, int, RV]) -> Generator[Any, int, RV]:
        """Pass on what a generator of psycopg waits for, and what it is told: now and then, that nothing came."""
        heard_at = time.monotonic()
        try:
            wanted = next(generator)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard_at = now
                elif now - heard_at > self.silent_seconds:
                    self.close()
                    raise psycopg.OperationalError(f"the server said nothing for {self.silent_seconds:g} s")
                wanted = generator.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
