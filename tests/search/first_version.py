"""Our tables as version 1 made them; not to be changed."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

Table(
    "tuning_reports",
    metadata,
    Column("study_uid", String(128), primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("values", Text, nullable=False, quote=True),
    Column("time", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "tuning_trial_events",
    metadata,
    Column("study_uid", String(128), primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(32), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("message", Text, nullable=False),
    Column("time", Double, nullable=False),
)
Table(
    "tuning_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
Table(
    "tuning_schema",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)
