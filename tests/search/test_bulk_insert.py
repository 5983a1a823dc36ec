"""Rows arrive as they were given, whatever the database's language."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tuning_operator.errors import StorageDamaged
from tuning_operator.search import tables
from tuning_operator.search.bulk_insert import BulkInsert
from tuning_operator.search.database import Database

NAMES = ("study_uid", "trial", "attempt", "kind", "state", "message", "time")
EVENTS = BulkInsert(tables.trial_events, *NAMES)

FLOATS = (0.1 + 0.2, 1e23, 5e-324, 2.2250738585072011e-308, 1.7976931348623157e308, 9007199254740993.0, 1 / 3)


def event(trial: int, message: str = "", time: float = 1.0, uid: str = "uid") -> tuple[Any, ...]:
    """Return a row."""
    return (uid, trial, 1, "End", "Complete", message, time)


def write(database: Database, *rows: tuple[Any, ...]) -> None:
    """Write rows in a transaction."""
    with database.transaction() as connection:
        EVENTS.write(connection, rows)


def stored(database: Database) -> list[tuple[Any, ...]]:
    """Return all rows."""
    with database.reading() as connection:
        query = select(*(tables.trial_events.c[name] for name in NAMES)).order_by(tables.trial_events.c.trial)
        return [tuple(row) for row in connection.execute(query)]


def test_floats_are_kept_to_the_last_bit(database: Database) -> None:
    rows = [event(trial, time=value) for trial, value in enumerate(FLOATS)]
    write(database, *rows)
    assert [row[-1].hex() for row in stored(database)] == [value.hex() for value in FLOATS]


def test_texts_are_kept_whatever_is_in_them(database: Database) -> None:
    texts = ['"quoted" \\ and 100 % %s :name ?', "two\nlines\tand 'more'", "größer, 更大, 🚀", "", "null", "x" * 1024]
    write(database, *(event(trial, message=text) for trial, text in enumerate(texts)))
    assert [row[5] for row in stored(database)] == texts


def test_of_rows_with_the_same_key_the_first_counts(database: Database) -> None:
    write(database, event(0, "first"))
    write(database, event(0, "later"), event(1, "first of a statement"), event(1, "second of a statement"))
    assert [row[5] for row in stored(database)] == ["first", "first of a statement"]


def test_no_rows_are_no_statement(database: Database) -> None:
    write(database)
    assert stored(database) == []


def test_any_number_of_rows_is_written(database: Database) -> None:
    rows = [event(trial) for trial in range(2_500)]
    write(database, *rows)
    assert stored(database) == rows


def test_what_is_too_long_is_refused_and_not_cut(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with pytest.raises(StorageDamaged, match="too long"):
        write(database, event(0, uid="u" * 129))
    database.close()
