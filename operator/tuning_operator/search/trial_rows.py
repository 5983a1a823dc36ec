"""Writes trials into Optuna's tables, many in one transaction, as Optuna's own storage would row by row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb.models import TrialIntermediateValueModel, TrialValueModel
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Table, bindparam, delete, select, update

from tuning_operator.errors import StorageDamaged
from tuning_operator.search import tables
from tuning_operator.search.loading import load_trials
from tuning_operator.search.times import to_stored


@dataclass(frozen=True)
class TrialEnding:
    """What is written when a trial is told."""

    trial_id: int
    state: TrialState
    values: tuple[float, ...]
    """One an objective; empty: none."""
    completed_at: datetime
    """Naive local time."""
    user_attrs: Mapping[str, Any]
    system_attrs: Mapping[str, Any]
    """What Optuna itself looks for: constraints."""


def insert_trials(connection: Connection, study_id: int, last_id: int, trials: Sequence[FrozenTrial]) -> list[int]:
    """Insert trials as they are, with the numbers that they have, and return their ids.

    Raises
    ------
    StorageDamaged
        The study has a trial after `last_id` that somebody else wrote, or is gone.
    """
    _lock_study(connection, study_id)
    connection.execute(tables.trials.insert(), [_trial_row(study_id, trial) for trial in trials])
    ids = _trial_ids(connection, study_id, last_id)
    if [number for number, _ in ids] != [trial.number for trial in trials]:
        raise StorageDamaged(
            "somebody else writes trials into this study; only one operator or `tuning run` may do that, and "
            "notebooks may only read"
        )
    _insert_details(connection, [(trial_id, trial) for (_, trial_id), trial in zip(ids, trials, strict=True)])
    return [trial_id for _, trial_id in ids]


def find_trials(connection: Connection, study_id: int, last_id: int) -> list[FrozenTrial]:
    """Return a study's trials with ids above `last_id`, once nobody is inserting any."""
    _lock_study(connection, study_id)
    return load_trials(connection, study_id, last_id)


def finish_trials(connection: Connection, endings: Sequence[TrialEnding]) -> None:
    """Write how trials ended.

    Memory knows which are open. In the database one may have ended already, by a commit whose answer was lost: what is
    decided now may be something else, and counts.
    """
    finish = (
        update(tables.trials)
        .where(tables.trials.c.trial_id == bindparam("of"))
        .values(state=bindparam("new_state"), datetime_complete=bindparam("at"))
    )
    rows = [{"of": e.trial_id, "new_state": e.state, "at": to_stored(e.completed_at)} for e in endings]
    connection.execute(finish, rows)
    values, of = tables.trial_values, [ending.trial_id for ending in endings]
    connection.execute(delete(values).where(values.c.trial_id.in_(of)))
    new_values = [row for ending in endings for row in _value_rows(ending.trial_id, ending.values)]
    if new_values:
        connection.execute(values.insert(), new_values)
    set_user_attrs(connection, {ending.trial_id: ending.user_attrs for ending in endings})
    system_attrs = {ending.trial_id: ending.system_attrs for ending in endings}
    _set_attrs(connection, tables.trial_system_attributes, system_attrs)


def set_param(connection: Connection, trial_id: int, name: str, value: Any, distribution: BaseDistribution) -> None:
    """Write a parameter of a running trial.

    It may be there already, by a commit whose answer was lost: nobody has heard of that value.
    """
    insert = tables.insert(connection, tables.trial_params)
    upsert = insert.on_conflict_do_update(
        index_elements=["trial_id", "param_name"],
        set_={
            "param_value": insert.excluded.param_value,
            "distribution_json": insert.excluded.distribution_json,
        },
    )
    connection.execute(upsert, [_param_row(trial_id, name, value, distribution)])


def forget_values(connection: Connection, trial_id: int) -> None:
    """Delete a trial's values by step: they are of another one."""
    values = tables.trial_intermediate_values
    connection.execute(delete(values).where(values.c.trial_id == trial_id))


def set_user_attrs(connection: Connection, attrs: Mapping[int, Mapping[str, Any]]) -> None:
    """Set user attributes of trials, by their ids."""
    _set_attrs(connection, tables.trial_user_attributes, attrs)


def _set_attrs(connection: Connection, table: Table, attrs: Mapping[int, Mapping[str, Any]]) -> None:
    rows = _attr_rows(attrs.items())
    if rows:
        insert = tables.insert(connection, table)
        upsert = insert.on_conflict_do_update(
            index_elements=["trial_id", "key"], set_={"value_json": insert.excluded.value_json}
        )
        connection.execute(upsert, rows)


def intermediate_value_row(trial_id: int, step: int, value: float) -> dict[str, Any]:
    """Return the row of a trial's value after a step; Optuna writes NaN and infinities as NULL with a type."""
    stored, kind = TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    return {"trial_id": trial_id, "step": step, "intermediate_value": stored, "intermediate_value_type": kind}


def _lock_study(connection: Connection, study_id: int) -> None:
    study = select(tables.studies.c.study_id).where(tables.studies.c.study_id == study_id).with_for_update()
    if connection.execute(study).first() is None:
        raise StorageDamaged("somebody deleted the study from the storage while it was running")


def _trial_ids(connection: Connection, study_id: int, last_id: int) -> list[tuple[int, int]]:
    columns = tables.trials.c
    query = select(columns.number, columns.trial_id).where(columns.study_id == study_id, columns.trial_id > last_id)
    return [(number, trial_id) for number, trial_id in connection.execute(query.order_by(columns.trial_id))]


def _trial_row(study_id: int, trial: FrozenTrial) -> dict[str, Any]:
    return {
        "study_id": study_id,
        "number": trial.number,
        "state": trial.state,
        "datetime_start": to_stored(trial.datetime_start),
        "datetime_complete": to_stored(trial.datetime_complete),
    }


def _insert_details(connection: Connection, trials: Sequence[tuple[int, FrozenTrial]]) -> None:
    rows = {
        tables.trial_params: [row for trial_id, trial in trials for row in _param_rows(trial_id, trial)],
        tables.trial_user_attributes: _attr_rows((trial_id, trial.user_attrs) for trial_id, trial in trials),
        tables.trial_system_attributes: _attr_rows((trial_id, trial.system_attrs) for trial_id, trial in trials),
        tables.trial_values: [row for trial_id, trial in trials for row in _value_rows(trial_id, trial.values or ())],
        tables.trial_intermediate_values: [
            intermediate_value_row(trial_id, step, value)
            for trial_id, trial in trials
            for step, value in trial.intermediate_values.items()
        ],
    }
    for table, of_table in rows.items():
        if of_table:
            connection.execute(table.insert(), of_table)


def _param_rows(trial_id: int, trial: FrozenTrial) -> list[dict[str, Any]]:
    return [_param_row(trial_id, name, value, trial.distributions[name]) for name, value in trial.params.items()]


def _param_row(trial_id: int, name: str, value: Any, distribution: BaseDistribution) -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        "param_name": name,
        "param_value": distribution.to_internal_repr(value),
        "distribution_json": distribution_to_json(distribution),
    }


def _attr_rows(attrs: Iterable[tuple[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for trial_id, of_trial in attrs
        for key, value in of_trial.items()
    ]


def _value_rows(trial_id: int, values: Sequence[float]) -> Iterator[dict[str, Any]]:
    for objective, value in enumerate(values):
        stored, kind = TrialValueModel.value_to_stored_repr(value)
        yield {"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind}
