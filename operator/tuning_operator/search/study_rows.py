"""Writes and finds studies in Optuna's tables: a study's name, its record and its attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import StorageDamaged
from tuning_operator.search import attributes, tables
from tuning_operator.search.attributes import CREATED, NAME, NAMESPACE, UID
from tuning_operator.search.seeds import random_seed
from tuning_operator.search.study_record import REPORTS_UID, SEED, direction_of, search_attrs, study_name


def find_study(connection: Connection, key: StudyKey) -> int | None:
    """Return the id of a study in Optuna's storage."""
    query = select(tables.studies.c.study_id).where(tables.studies.c.study_name == study_name(key))
    return connection.execute(query).scalar_one_or_none()


def create_study(connection: Connection, key: StudyKey, spec: StudySpec, now: float) -> int:
    """Write a study, unless it is there, and return its id."""
    named = {"study_name": study_name(key)}
    connection.execute(tables.insert(connection, tables.studies).on_conflict_do_nothing(), named)
    study_id = find_study(connection, key)
    assert study_id is not None
    directions = _direction_rows(study_id, spec)
    connection.execute(tables.insert(connection, tables.study_directions).on_conflict_do_nothing(), directions)
    user_attrs = {NAMESPACE: key.namespace, NAME: key.name, UID: key.uid, CREATED: now}
    system_attrs = {**search_attrs(spec), SEED: random_seed()}
    _add_attrs(connection, tables.study_user_attributes, study_id, user_attrs)
    _add_attrs(connection, tables.study_system_attributes, study_id, system_attrs)
    return study_id


def rewrite_search(connection: Connection, study_id: int, spec: StudySpec) -> None:
    """Let a study that has no trial yet be of this spec's search; one that has some stays as it is."""
    if has_trials(connection, study_id):
        return
    directions = tables.study_directions
    connection.execute(delete(directions).where(directions.c.study_id == study_id))
    connection.execute(directions.insert(), _direction_rows(study_id, spec))
    set_attrs(connection, tables.study_system_attributes, study_id, search_attrs(spec))


def has_trials(connection: Connection, study_id: int) -> bool:
    """Return whether a study has begun."""
    trials = tables.trials.c
    return connection.execute(select(trials.trial_id).where(trials.study_id == study_id).limit(1)).first() is not None


def rename_study(connection: Connection, study_id: int, key: StudyKey, reports_uid: str, now: float) -> None:
    """Let a study be another object's from now on; its reports stay where they are."""
    of_study = tables.studies.c.study_id == study_id
    connection.execute(update(tables.studies).where(of_study).values(study_name=study_name(key)))
    set_attrs(connection, tables.study_user_attributes, study_id, {UID: key.uid, CREATED: now})
    set_attrs(connection, tables.study_system_attributes, study_id, {REPORTS_UID: reports_uid})


def find_reports_uid(connection: Connection, key: StudyKey, study_id: int | None) -> str:
    """Return under which uid our own tables have a study's reports; without an id, of one that is not stored.

    Raises
    ------
    StorageDamaged
        What is stored is no uid.
    """
    columns = tables.study_system_attributes.c
    query = select(columns.value_json).where(columns.study_id == study_id, columns.key == REPORTS_UID)
    stored = connection.execute(query).scalar_one_or_none()
    attrs = {} if stored is None else {REPORTS_UID: attributes.from_json(stored)}
    try:
        return attributes.text(attrs, REPORTS_UID, key.uid)
    except attributes.Unreadable as problem:
        raise StorageDamaged(f"the storage's study {study_id} was not written by this version: {problem}") from problem


def set_attrs(connection: Connection, table: Table, study_id: int, attrs: Mapping[str, Any]) -> None:
    """Set attributes of a study; `table` says of which kind."""
    insert = tables.insert(connection, table)
    upsert = insert.on_conflict_do_update(
        index_elements=["study_id", "key"], set_={"value_json": insert.excluded.value_json}
    )
    connection.execute(upsert, _attr_rows(study_id, attrs))


def _add_attrs(connection: Connection, table: Table, study_id: int, attrs: Mapping[str, Any]) -> None:
    connection.execute(tables.insert(connection, table).on_conflict_do_nothing(), _attr_rows(study_id, attrs))


def _attr_rows(study_id: int, attrs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"study_id": study_id, "key": key, "value_json": json.dumps(value)} for key, value in attrs.items()]


def _direction_rows(study_id: int, spec: StudySpec) -> list[dict[str, Any]]:
    return [
        {"study_id": study_id, "objective": index, "direction": direction_of(objective)}
        for index, objective in enumerate(spec.objectives)
    ]
