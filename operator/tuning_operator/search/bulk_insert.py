"""INSERTs of many rows with one statement, in the words of each database.

SQLAlchemy's own INSERT takes more processor time than the database: it prepares each row by itself. And a statement for
each row gives the interpreter away and waits to get it back each time, up to the switch interval while the event loop
is busy: with hundreds of reports in a commit that is most of the time until they are answered.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Enum, String, Table

Row = tuple[Any, ...]

_MOST_ROWS = 1_000
"""Rows of a statement: SQLite takes at most 32,766 values."""


class BulkInsert:
    """An INSERT into a table's columns. Rows that are there already stay as they are; of rows with the same key the
    first counts. Values are as JSON has them: of an enum the name, and neither NaN nor infinities.
    """

    def __init__(self, table: Table, *names: str) -> None:
        self._columns = [table.c[name] for name in names]
        self._names = names
        self._into = f"INSERT INTO {table.name} ({', '.join(map(_quoted, names))})"
        self._row = f"({', '.join('?' * len(names))})"

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows."""
        write = self._write_values if connection.dialect.name == "sqlite" else self._write_json
        for start in range(0, len(rows), _MOST_ROWS):
            write(connection, rows[start : start + _MOST_ROWS])

    def _write_values(self, connection: Connection, rows: Sequence[Row]) -> None:
        # JSON would be shorter, but SQLite does not read all floats back as they were.
        values = ", ".join([self._row] * len(rows))
        statement = f"{self._into} VALUES {values} ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, tuple(chain.from_iterable(rows)))

    def _write_json(self, connection: Connection, rows: Sequence[Row]) -> None:
        # An array for each column would take psycopg three times as long.
        documents = [dict(zip(self._names, row, strict=True)) for row in rows]
        typed = ", ".join(_typed(column, connection.dialect) for column in self._columns)
        statement = f"{self._into} SELECT * FROM json_to_recordset(%s) AS new({typed}) ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, (json.dumps(documents, allow_nan=False),))


def _quoted(name: str) -> str:
    return f'"{name}"'


def _typed(column: Column[Any], dialect: Dialect) -> str:
    """Return a column with its type but without a length: a conversion to a length would cut what is longer."""
    is_text = isinstance(column.type, String) and not isinstance(column.type, Enum)
    return f"{_quoted(column.name)} {'TEXT' if is_text else column.type.compile(dialect)}"
