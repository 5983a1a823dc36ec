"""Reads other studies' complete trials for a study that starts with their results.

A namespace is a border: of other namespaces' TuningStudies, and of those of other operators that share the database,
nothing can be read, not even that they exist.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, select

from tuning_operator.api.warm_start import WarmStart
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import StorageDamaged
from tuning_operator.search import tables
from tuning_operator.search.attributes import METRICS, created_at
from tuning_operator.search.custody import goes_with_its_object, owner_of
from tuning_operator.search.loading import load_trials, study_attrs
from tuning_operator.search.space import Space
from tuning_operator.search.study_record import METRIC_NAMES, is_tuning_study, key_of, read_record, study_name

MAX_TRIALS = 5_000
"""Trials that are read of one source, the newest."""


@dataclass(frozen=True)
class Result:
    """A complete trial."""

    parameters: Mapping[str, Any]
    """As its trainer got them."""
    values: Sequence[float]
    stored: Mapping[str, Any] = field(default_factory=dict)
    """Parameters as Optuna has them."""
    kinds: Mapping[str, BaseDistribution] = field(default_factory=dict)
    """What these could have been; a table says nothing of that."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What is known of the metrics that have bounds in the study that reads."""
    excesses: Mapping[str, float] = field(default_factory=dict)
    """How far it was beyond constraints of its own study, by their names; Optuna numbers those that have none."""


@dataclass(frozen=True)
class Source:
    """What was read."""

    metrics: Sequence[str] | None
    """Names of the values of a trial; None: they have none, and come in the order of the objectives."""
    directions: Sequence[str]
    """Of the values, as Optuna names them; empty: whatever the study says."""
    trials: Sequence[Result]
    """The oldest first."""


def find_source(connection: Connection, warm_start: WarmStart, study: StudyKey, owner: str) -> int | None:
    """Return the id of the study to read; None: there is none that this study may read."""
    names = tables.studies.c
    if warm_start.study is not None:
        prefix = study_name(StudyKey(study.namespace, warm_start.study, ""))
        named = names.study_name.startswith(prefix, autoescape=True)
    else:
        named = names.study_name == warm_start.storage_study
    found = []
    for study_id, name in connection.execute(select(names.study_id, names.study_name).where(named)):
        attrs = study_attrs(connection, tables.study_system_attributes, study_id)
        if name == study_name(study) or not _may_read(name, attrs, study, owner):
            continue
        if warm_start.study is None or is_tuning_study(attrs):
            found.append((created_at(study_attrs(connection, tables.study_user_attributes, study_id)), study_id))
    return max(found)[1] if found else None


def _may_read(name: str, system_attrs: Mapping[str, Any], study: StudyKey, owner: str) -> bool:
    if not is_tuning_study(system_attrs):
        return True
    key = key_of(name)
    is_near = key is not None and key.namespace == study.namespace and owner_of(system_attrs) == owner
    return is_near and not goes_with_its_object(system_attrs)


def read_study(connection: Connection, study_id: int, key: StudyKey, bounded: Collection[str] = ()) -> Source:
    """Read a study; `key` is whose sake it is read for, `bounded` that one's metrics with bounds.

    Raises `StorageDamaged`.
    """
    attrs = study_attrs(connection, tables.study_system_attributes, study_id)
    columns = tables.study_directions.c
    query = select(columns.direction).where(columns.study_id == study_id).order_by(columns.objective)
    directions = [direction.name for direction in connection.execute(query).scalars()]
    names = attrs.get(METRIC_NAMES)
    metrics = names if isinstance(names, list) and len(names) == len(directions) else None
    space = Space(read_record(key, study_id, attrs).parameters) if is_tuning_study(attrs) else None
    try:
        trials = [
            _result(trial, space, metrics or (), bounded)
            for trial in load_trials(connection, study_id, _before_newest(connection, study_id), curves=False)
            if trial.state is TrialState.COMPLETE and len(trial.values or ()) == len(directions)
        ]
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise StorageDamaged(
            f"the storage's study {study_id}, a warm start of {key}, can't be read: {error}"
        ) from error
    return Source(metrics, directions, trials)


def _result(trial: FrozenTrial, space: Space | None, metrics: Sequence[str], bounded: Collection[str]) -> Result:
    """Return a trial of a TuningStudy, whose space is given, or of somebody else's.

    Notebooks keep what else they measure in user attributes, and what code calls a constraint is a metric here.
    """
    stored = trial.params
    parameters = stored if space is None else {**space.typed(stored), **space.undeclared(stored)}
    if not bounded:
        return Result(parameters, trial.values, stored, trial.distributions)
    said, kept = _numbers(trial.constraints), trial.user_attrs.get(METRICS)
    values = dict(zip(metrics, trial.values, strict=bool(metrics)))
    measured = {**trial.user_attrs, **said, **(kept if isinstance(kept, dict) else {}), **values}
    known = _numbers({name: measured[name] for name in bounded if name in measured})
    return Result(parameters, trial.values, stored, trial.distributions, known, said)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if type(value) in (int, float)}


def _before_newest(connection: Connection, study_id: int) -> int:
    """Return the id before those of the newest trials."""
    columns = tables.trials.c
    query = select(columns.trial_id).where(columns.study_id == study_id).order_by(columns.trial_id.desc())
    oldest = connection.execute(query.offset(MAX_TRIALS).limit(1)).scalar_one_or_none()
    return -1 if oldest is None else oldest


def finite(values: Sequence[float]) -> bool:
    """Return whether a sampler can learn from values."""
    return all(map(math.isfinite, values))
