"""What a database raises -> the project's errors, with sentences for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from tuning_operator.errors import StorageDamaged, StorageUnavailable, TuningError

_SQLITE_DAMAGED = {
    sqlite3.SQLITE_CORRUPT: "its file is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "its file is not an SQLite database; name another file, or move this one away",
}
_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY: "another process holds its lock; only one operator or `tuning run` may use a file",
    sqlite3.SQLITE_LOCKED: "another connection holds its lock",
    sqlite3.SQLITE_CANTOPEN: "its file can't be opened; its folder must exist and be writable",
    sqlite3.SQLITE_READONLY: "its file is read-only; the file and its folder must be writable",
    sqlite3.SQLITE_FULL: "its disk is full; free some space",
    sqlite3.SQLITE_IOERR: "its disk does not work",
    sqlite3.SQLITE_PERM: "its file may not be read",
}
_POSTGRESQL_AWAY = ("08", "25", "28", "3D", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE after which the same statement may succeed later, perhaps after a person helped: no connection,
read-only server, wrong password, no such database, deadlock, no resources, lock not available, shutdown, system."""


@contextmanager
def converted(url: URL) -> Iterator[None]:
    """Let database errors leave the block as `StorageUnavailable` or `StorageDamaged`."""
    try:
        yield
    except StorageInternalError as error:
        cause = error.__cause__ if isinstance(error.__cause__, SQLAlchemyError) else error
        raise _convert(url, cause) from error
    except SQLAlchemyError as error:
        raise _convert(url, error) from error


def _convert(url: URL, error: Exception) -> TuningError:
    database = f"the database {url.render_as_string(hide_password=True)}"
    if isinstance(error, TimeoutError):
        return StorageUnavailable(f"{database} has no free connection")
    if not isinstance(error, DBAPIError):
        return StorageDamaged(f"{database} can't be used: {error}")
    if isinstance(error.orig, sqlite3.Error):
        return _convert_sqlite(database, error.orig)
    words = " ".join(str(error.orig).split())
    state = getattr(error.orig, "sqlstate", None) or ""
    away = state.startswith(_POSTGRESQL_AWAY) if state else isinstance(error, OperationalError | InterfaceError)
    if away or error.connection_invalidated:
        return StorageUnavailable(f"{database} does not answer: {words}")
    return StorageDamaged(f"{database} does not fit this version: {words}")


def _convert_sqlite(database: str, error: sqlite3.Error) -> TuningError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of an extended code says more than is needed
    if code in _SQLITE_AWAY:
        return StorageUnavailable(f"{database} can't be used now: {_SQLITE_AWAY[code]} ({error})")
    if code in _SQLITE_DAMAGED:
        return StorageDamaged(f"{database} can't be read: {_SQLITE_DAMAGED[code]} ({error})")
    return StorageDamaged(f"{database} does not fit this version: {error}")
