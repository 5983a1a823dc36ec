"""Reads a study from Optuna's tables with a few queries; Optuna's own storage takes ten times as long."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import Column, ColumnElement, Connection, Enum, String, Table, select, type_coerce

from tuning_operator.search import tables
from tuning_operator.search.attributes import from_json
from tuning_operator.search.times import from_stored

_ROWS_AT_ONCE = 1_000
"""One by one, rows take twice as long; all at once, they take memory."""

_NOT_FINITE = {"NAN": math.nan, "INF_POS": math.inf, "INF_NEG": -math.inf}


@dataclass(frozen=True)
class LoadedStudy:
    """A study as it is in the database."""

    study_id: int
    name: str
    directions: list[StudyDirection]
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    trials: list[FrozenTrial]
    """In the order of their ids."""


def load_study(connection: Connection, study_id: int) -> LoadedStudy:
    """Read a study with all its trials; `KeyError` when there is none."""
    name = connection.execute(
        select(tables.studies.c.study_name).where(tables.studies.c.study_id == study_id)
    ).scalar_one_or_none()
    if name is None:
        raise KeyError(f"there is no study {study_id}")
    directions = tables.study_directions.c
    query = select(directions.direction).where(directions.study_id == study_id).order_by(directions.objective)
    return LoadedStudy(
        study_id=study_id,
        name=name,
        directions=list(connection.execute(query).scalars()),
        user_attrs=study_attrs(connection, tables.study_user_attributes, study_id),
        system_attrs=study_attrs(connection, tables.study_system_attributes, study_id),
        trials=load_trials(connection, study_id),
    )


def load_trials(connection: Connection, study_id: int, after_id: int = -1, *, curves: bool = True) -> list[FrozenTrial]:
    """Read a study's trials with ids above `after_id`, in the order of their ids; without `curves` no values by step,
    of which there may be a thousand times as many."""
    details = _Details(connection, study_id, after_id)
    params, distributions = details.params()
    values, intermediate_values = details.values(), details.intermediate_values() if curves else {}
    user_attrs = details.attrs(tables.trial_user_attributes)
    system_attrs = details.attrs(tables.trial_system_attributes)
    return [
        FrozenTrial(
            number=number,
            trial_id=trial_id,
            state=state,
            value=None,
            values=values.get(trial_id),
            datetime_start=from_stored(started),
            datetime_complete=from_stored(completed),
            params=params.get(trial_id, {}),
            distributions=distributions.get(trial_id, {}),
            user_attrs=user_attrs.get(trial_id, {}),
            system_attrs=system_attrs.get(trial_id, {}),
            intermediate_values=intermediate_values.get(trial_id, {}),
        )
        for trial_id, number, state, started, completed in details.trials()
    ]


class _Details:
    """What lies in other tables than `trials`, by the trial's id."""

    def __init__(self, connection: Connection, study_id: int, after_id: int) -> None:
        self._connection = connection
        trials = tables.trials.c
        self._condition = (trials.study_id == study_id) & (trials.trial_id > after_id)

    def trials(self) -> Iterator[Any]:
        trials = tables.trials.c
        columns = (trials.trial_id, trials.number, trials.state, trials.datetime_start, trials.datetime_complete)
        yield from self._connection.execute(select(*columns).where(self._condition).order_by(trials.trial_id))

    def params(self) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, BaseDistribution]]]:
        params: dict[int, dict[str, Any]] = defaultdict(dict)
        distributions: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
        names = ("param_name", "param_value", "distribution_json")
        for trial_id, name, internal, text in self._rows(tables.trial_params, *names, order_by="param_id"):
            distribution = _distribution(text)
            params[trial_id][name] = distribution.to_external_repr(internal)
            distributions[trial_id][name] = distribution
        return params, distributions

    def values(self) -> dict[int, list[float]]:
        values: dict[int, list[float]] = defaultdict(list)
        for trial_id, value, kind in self._rows(tables.trial_values, "value", "value_type", order_by="objective"):
            values[trial_id].append(_number(value, kind))
        return values

    def intermediate_values(self) -> dict[int, dict[int, float]]:
        values: dict[int, dict[int, float]] = defaultdict(dict)
        names = ("step", "intermediate_value", "intermediate_value_type")
        for trial_id, step, value, kind in self._rows(tables.trial_intermediate_values, *names, order_by="step"):
            values[trial_id][step] = _number(value, kind)
        return values

    def attrs(self, table: Table) -> dict[int, dict[str, Any]]:
        attrs: dict[int, dict[str, Any]] = defaultdict(dict)
        for trial_id, key, text in self._rows(table, "key", "value_json"):
            attrs[trial_id][key] = from_json(text)
        return attrs

    def _rows(self, table: Table, *names: str, order_by: str | None = None) -> Iterator[Any]:
        columns = (_as_stored(table.c[name]) for name in names)
        trial_id = tables.trials.c.trial_id
        query = select(trial_id, *columns).select_from(table.join(tables.trials, trial_id == table.c.trial_id))
        # By trial first: that is the order of the databases' indexes, so that they need not sort.
        query = query.order_by(trial_id, *([] if order_by is None else [table.c[order_by]]))
        for some in self._connection.execute(query.where(self._condition)).partitions(_ROWS_AT_ONCE):
            yield from some


def _as_stored(column: Column[Any]) -> ColumnElement[Any]:
    """Return a column whose enum stays a name: making an object of each takes longer than reading it."""
    return type_coerce(column, String) if isinstance(column.type, Enum) else column


def _number(stored: float | None, kind: str) -> float:
    """Return a number from what Optuna keeps of it: NaN and infinities as NULL with their kind."""
    return _NOT_FINITE[kind] if stored is None else stored


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    """Trials of a study have equal distributions, which are never changed: they share one object."""
    return json_to_distribution(text)


def study_attrs(connection: Connection, table: Table, study_id: int) -> dict[str, Any]:
    """Return a study's attributes; `table` says of which kind."""
    query = select(table.c.key, table.c.value_json).where(table.c.study_id == study_id)
    return {key: from_json(text) for key, text in connection.execute(query)}
