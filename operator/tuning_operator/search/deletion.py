"""Deletes a study's history a part at a time, so that other studies' reports can be written in between."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, any_, delete, func, literal_column, select, tuple_

from tuning_operator.search import tables

PART_ROWS = 2_000
"""Rows of one part: some 20 ms, which a report of another study may have to wait."""
_PART_TRIALS = 200
"""Trials whose rows are looked for at once."""

_OF_TRIALS = [
    table for table in tables.optuna_metadata.sorted_tables if "trial_id" in table.c and table is not tables.trials
]
_OF_STUDIES = [
    table
    for table in reversed(tables.optuna_metadata.sorted_tables)
    if "study_id" in table.c and table is not tables.trials
]


def delete_reports_part(connection: Connection, uid: str) -> bool:
    """Delete some of what trials reported under a uid; return whether the part is full, so that more may be left."""
    room = PART_ROWS
    for table in (tables.reports, tables.trial_events):
        room -= _delete_rows(connection, table, table.c.study_uid == uid, room)
    return room <= 0


def delete_part(connection: Connection, study_id: int) -> bool:
    """Delete some of what Optuna's tables hold of a study, the study itself last; return whether more is left."""
    trials = tables.trials
    query = select(trials.c.trial_id).where(trials.c.study_id == study_id).order_by(trials.c.trial_id)
    ids = connection.execute(query.limit(_PART_TRIALS)).scalars().all()
    if not ids:
        for table in _OF_STUDIES:
            connection.execute(delete(table).where(table.c.study_id == study_id))
        return False
    room = PART_ROWS
    for table in _OF_TRIALS:
        room -= _delete_rows(connection, table, table.c.trial_id.in_(ids), room)
    if room > 0:
        connection.execute(delete(trials).where(trials.c.trial_id.in_(ids)))
    return True


def _delete_rows(connection: Connection, table: Table, condition: ColumnElement[bool], limit: int) -> int:
    """Delete at most `limit` rows; return how many."""
    if limit <= 0:
        return 0
    if connection.dialect.name == "postgresql":
        # By their places: a join with the keys would read the whole table each time.
        place: ColumnElement[Any] = literal_column("ctid")
        places = select(place).select_from(table).where(condition).limit(limit).correlate(None)
        chosen = place == any_(func.array(places.scalar_subquery()))
    else:
        key = tuple_(*table.primary_key.columns)
        chosen = key.in_(select(*table.primary_key.columns).where(condition).limit(limit))
    return connection.execute(delete(table).where(chosen)).rowcount
