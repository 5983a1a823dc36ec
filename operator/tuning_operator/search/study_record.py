"""What the storage keeps of a study itself: its name, its seed and its search space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.study import StudyDirection
from sqlalchemy import Connection, Table, select, update

from tuning_operator.api.parameters import Parameter
from tuning_operator.api.study import Objective, StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy, StorageDamaged
from tuning_operator.search import tables
from tuning_operator.search.seeds import random_seed

NAMESPACE, NAME, UID, CREATED = "tuning:namespace", "tuning:name", "tuning:uid", "tuning:created"
"""User attributes of a study, which notebooks and dashboards show; `CREATED` is in seconds since 1970."""
_SEARCH, _SEED = "tuning:search", "tuning:seed"
"""System attributes of a study."""
_METRIC_NAMES = "study:metric_names"
"""Optuna's own name of that system attribute."""


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was when its first trial was asked for."""

    study_id: int
    seed: int
    """Chosen at random; a study whose spec has a seed does not use it."""
    objective: Objective
    parameters: tuple[Parameter, ...]


def study_name(key: StudyKey) -> str:
    """Return the name of a study in Optuna's storage; the uid tells it from earlier ones of its name."""
    return f"{key.namespace}/{key.name}/{key.uid}"


def key_of(name: str) -> StudyKey:
    """Return which study a name in Optuna's storage is of."""
    return StudyKey(*name.split("/", 2))


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
    direction = StudyDirection[spec.objective.direction.name]
    row = {"study_id": study_id, "objective": 0, "direction": direction}
    connection.execute(tables.insert(connection, tables.study_directions).on_conflict_do_nothing(), row)
    user_attrs = {NAMESPACE: key.namespace, NAME: key.name, UID: key.uid, CREATED: now}
    system_attrs = {**_search_attrs(spec), _SEED: random_seed()}
    _add_attrs(connection, tables.study_user_attributes, study_id, user_attrs)
    _add_attrs(connection, tables.study_system_attributes, study_id, system_attrs)
    return study_id


def set_study_user_attr(connection: Connection, study_id: int, key: str, value: Any) -> None:
    """Write a user attribute of a study, in place of an earlier one."""
    insert = tables.insert(connection, tables.study_user_attributes)
    upsert = insert.on_conflict_do_update(
        index_elements=["study_id", "key"], set_={"value_json": insert.excluded.value_json}
    )
    connection.execute(upsert, {"study_id": study_id, "key": key, "value_json": json.dumps(value)})


def rewrite_search(connection: Connection, study_id: int, spec: StudySpec) -> None:
    """Let a study that has no trial yet be of this spec's search; one that has some stays as it is."""
    trials = tables.trials.c
    if connection.execute(select(trials.trial_id).where(trials.study_id == study_id).limit(1)).first() is not None:
        return
    directions = tables.study_directions
    direction = StudyDirection[spec.objective.direction.name]
    connection.execute(update(directions).where(directions.c.study_id == study_id).values(direction=direction))
    set_attrs(connection, tables.study_system_attributes, study_id, _search_attrs(spec))


def read_record(study_id: int, system_attrs: Mapping[str, Any]) -> StudyRecord:
    """Return what a study's trials are of.

    Raises
    ------
    StorageDamaged
        It was not created by this project, or by another version of it.
    """
    try:
        search = system_attrs[_SEARCH]
        return StudyRecord(
            study_id=study_id,
            seed=int(system_attrs[_SEED]),
            objective=Objective.model_validate(search["objective"]),
            parameters=tuple(Parameter.model_validate(parameter) for parameter in search["parameters"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StorageDamaged(
            f"the storage's study {study_id} was not written by this version: {error!r} is wrong in it"
        ) from error


def check_same_search(record: StudyRecord, spec: StudySpec) -> None:
    """Compare a study's spec with what its trials are of.

    Raises
    ------
    InvalidStudy
        Its trials so far are of another search: they would mislead the sampler, and the best of both is not comparable.
    """
    problems = differences(record, spec)
    if problems:
        raise InvalidStudy(problems)


def differences(record: StudyRecord, spec: StudySpec) -> list[str]:
    """Return what of a spec's search is not as stored, as sentences."""
    problems = []
    stored, given = (
        {parameter.name: parameter.to_document() for parameter in parameters}
        for parameters in (record.parameters, spec.parameters)
    )
    for name in [*stored, *(name for name in given if name not in stored)]:
        if stored.get(name) != given.get(name):
            what = "is not in" if name not in stored else "was left out since" if name not in given else "differs from"
            problems.append(f"the parameter `{name}` {what} the study's stored history; {_WAY_OUT}")
    if _without_goal(record.objective) != _without_goal(spec.objective):
        problems.append(f"`objectives` differs from the study's stored history; {_WAY_OUT}")
    return problems


_WAY_OUT = "change it back, or start a new study"


def _search_attrs(spec: StudySpec) -> dict[str, Any]:
    search = {
        "objective": _without_goal(spec.objective),
        "parameters": [parameter.to_document() for parameter in spec.parameters],
    }
    return {_SEARCH: search, _METRIC_NAMES: [spec.objective.metric]}


def _without_goal(objective: Objective) -> dict[str, Any]:
    return {name: value for name, value in objective.to_document().items() if name != "goal"}


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
