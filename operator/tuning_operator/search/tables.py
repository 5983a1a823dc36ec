"""The tables: Optuna's, and our own beside them. A change of ours needs a step in `migrations.py` too."""

from __future__ import annotations

from typing import cast

from optuna.storages._rdb import models
from sqlalchemy import Column, Connection, Double, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.dialects import postgresql, sqlite

OPTUNA_SCHEMA_VERSION = "v3.2.0.a"
"""Version of Optuna's tables that this project reads and writes itself: the newest one of the pinned Optuna."""

_UID = String(128)

metadata = MetaData()

reports = Table(
    "tuning_reports",
    metadata,
    Column("study_uid", _UID, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("values", Text, nullable=False, quote=True),
    Column("time", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    sqlite_with_rowid=False,
)
"""Every report: `values` is a JSON object of metrics, `time` the sender's clock, `received_at` ours."""

trial_events = Table(
    "tuning_trial_events",
    metadata,
    Column("study_uid", _UID, primary_key=True),
    Column("trial", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(32), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("message", Text, nullable=False),
    Column("time", Double, nullable=False),
)
"""What must be remembered of a trial before it ends: the decision to prune it, and its last message."""

keys = Table(
    "tuning_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""Secrets; apart from studies' attributes, which dashboards show."""

leaders = Table(
    "tuning_leaders",
    metadata,
    Column("election", String(400), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("holder", String(400), nullable=False),
)
"""Of each election (namespace/name of a Lease and its cluster) the newest leader's number, and its name for people."""

schema = Table(
    "tuning_schema",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)
"""One row: the version of these tables, which `migrations.py` counts."""

optuna_metadata = cast(MetaData, models.BaseModel.metadata)
studies = optuna_metadata.tables["studies"]
study_directions = optuna_metadata.tables["study_directions"]
study_user_attributes = optuna_metadata.tables["study_user_attributes"]
study_system_attributes = optuna_metadata.tables["study_system_attributes"]
trials = optuna_metadata.tables["trials"]
trial_params = optuna_metadata.tables["trial_params"]
trial_values = optuna_metadata.tables["trial_values"]
trial_intermediate_values = optuna_metadata.tables["trial_intermediate_values"]
trial_user_attributes = optuna_metadata.tables["trial_user_attributes"]
trial_system_attributes = optuna_metadata.tables["trial_system_attributes"]


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT; both databases write it alike."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
