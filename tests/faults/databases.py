"""Databases that a test takes away for a while."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.support.postgresql_server import PostgreSQLServer


class StageDatabase(Protocol):
    """A database whose committed content outlives its absence."""

    url: str

    def take_away(self) -> None:
        """Let every write fail or wait."""

    def bring_back(self) -> None:
        """Let writes succeed again."""


class SQLiteFile:
    """A file that somebody else locks."""

    def __init__(self, file: Path) -> None:
        self.url = f"sqlite:///{file}"
        self._file = file
        self._holder: sqlite3.Connection | None = None

    def take_away(self) -> None:
        """Hold the lock of the one who writes."""
        self._holder = sqlite3.connect(self._file, isolation_level=None, timeout=60, check_same_thread=False)
        self._holder.execute("BEGIN IMMEDIATE")

    def bring_back(self) -> None:
        """Let go."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None


class OwnPostgreSQL:
    """A server that is killed."""

    def __init__(self, server: PostgreSQLServer) -> None:
        self.url = server.url
        self._server = server

    def take_away(self) -> None:
        """Kill it."""
        self._server.kill()

    def bring_back(self) -> None:
        """Start it, and wait until it answers."""
        self._server.start()


@contextmanager
def own_postgresql() -> Iterator[OwnPostgreSQL]:
    """A PostgreSQL server for one stage. Raises MissingServer."""
    with PostgreSQLServer() as server:
        yield OwnPostgreSQL(server)
