"""What a study's trials are of, as the storage keeps it and as a spec has it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.study import StudyDirection

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.parameters import Parameter
from tuning_operator.api.study import Objective, StudySpec
from tuning_operator.api.trial_template import MAX_RUNS, fingerprint
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy, StorageDamaged
from tuning_operator.search import attributes

_SEARCH, SEED, _TEMPLATE, REPORTS_UID = (f"tuning:{name}" for name in ("search", "seed", "template", "reports_uid"))
"""System attributes of a study."""
_FURTHER_OBJECTIVES, _CONSTRAINTS = "further_objectives", "metric_constraints"
"""Of the search: there only where a study has them."""
_DEFINE_BY_RUN = "define_by_run"
"""Of the search: there only where it is so."""
_ENQUEUED, _WARM_START = "enqueued", "warm_start"
"""Of the search: fingerprints of what it began with; histories of earlier versions have none."""
_REPEATS, _FOLDS = "repeats", "folds"
"""Fields of the search; earlier versions had neither, and neither is there where a trial is one training."""
_GIVEN_SEED, _DETERMINISTIC = "seed", "deterministic"
"""Of the search: as its spec has them; histories of earlier versions have neither."""
_STRATEGY = "strategy"
"""Of the search: there only where a strategy lays down how far trials train."""
METRIC_NAMES = "study:metric_names"
"""Optuna's own name of that system attribute."""

_FURTHER_ROUNDS = {"generations", "iterations"}
"""Options of strategies that only say how often the same is done."""


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was when its first trial was asked for."""

    study_id: int
    seed: int
    """Chosen at random; a study whose spec has a seed does not use it."""
    objectives: tuple[Objective, ...]
    parameters: tuple[Parameter, ...]
    metric_constraints: tuple[MetricConstraint, ...]
    reports_uid: str
    """Uid in our own tables: of the study that began the history, whoever resumed it since."""
    constraints: tuple[str, ...] = ()
    repeats: int = 1
    folds: int = 0
    """Of each trial; 0: no cross-validation."""
    define_by_run: bool = False
    enqueued: str | None = None
    """Fingerprint of the enqueued trials; None: it is not known."""
    warm_start: str | None = None
    """The same of the sources of its warm start."""
    settings: Mapping[str, int] = field(default_factory=dict)
    """Fields of `search` that must stay as they were at its beginning, as far as they are known."""
    strategy: str | None = None
    """Fingerprint of the plan of the strategy that laid down the trials; None: none did, or it is not known."""

    @property
    def runs(self) -> int:
        """How many runs each trial has."""
        return self.repeats * max(1, self.folds)


def study_name(key: StudyKey) -> str:
    """Return the name of a study in Optuna's storage; the uid tells it from earlier ones of its name."""
    return f"{key.namespace}/{key.name}/{key.uid}"


def key_of(name: str) -> StudyKey | None:
    """Return which study a name in Optuna's storage is of; None: one that this project did not write."""
    parts = name.split("/", 2)
    return StudyKey(*parts) if len(parts) == 3 else None


def is_tuning_study(system_attrs: Mapping[str, Any]) -> bool:
    """Return whether a study in Optuna's storage is of this project."""
    return _SEARCH in system_attrs


def read_record(key: StudyKey, study_id: int, system_attrs: Mapping[str, Any]) -> StudyRecord:
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
            seed=attributes.whole(system_attrs, SEED, 0),
            objectives=tuple(Objective.model_validate(objective) for objective in _objectives_of(search)),
            metric_constraints=tuple(MetricConstraint.model_validate(each) for each in search.get(_CONSTRAINTS, [])),
            parameters=tuple(Parameter.model_validate(parameter) for parameter in search["parameters"]),
            repeats=attributes.whole(search, _REPEATS, 1, MAX_RUNS) if _REPEATS in search else 1,
            folds=attributes.whole(search, _FOLDS, 2, MAX_RUNS) if _FOLDS in search else 0,
            reports_uid=attributes.text(system_attrs, REPORTS_UID, key.uid),
            constraints=tuple(map(str, search.get("constraints", ()))),
            define_by_run=bool(search.get(_DEFINE_BY_RUN, False)),
            enqueued=search.get(_ENQUEUED),
            warm_start=search.get(_WARM_START),
            settings=_settings_of(search),
            strategy=search.get(_STRATEGY),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StorageDamaged(
            f"the record of the study {key} in the storage was not written by this version: {error!r} is wrong in it"
        ) from error


def check_directions(record: StudyRecord, stored: Sequence[StudyDirection]) -> None:
    """Compare what Optuna's tables say of a study's objectives with its record; raises `ValueError`."""
    known = [direction_of(objective) for objective in record.objectives]
    if known != list(stored):
        names = ", ".join(direction.name for direction in stored)
        raise ValueError(f"the directions of its objectives are {names or 'missing'}")


def check_same_search(record: StudyRecord, spec: StudySpec) -> None:
    """Compare a study's spec with what its trials are of.

    Raises
    ------
    InvalidStudy
        Its trials so far are of another search: they would mislead the sampler, and the best of both is not comparable.
    """
    problems = differences(record, spec)
    if problems:
        raise InvalidStudy([f"{problem}; change it back, or start a new study" for problem in problems])


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
            problems.append(f"the parameter `{name}` {what} the study's stored history")
    if record.constraints != tuple(spec.constraints):
        problems.append("`constraints` differs from the study's stored history")
    if record.define_by_run != spec.define_by_run:
        problems.append("`defineByRun` differs from the study's stored history")
    if _without_goals(record.objectives) != _without_goals(spec.objectives):
        problems.append("`objectives` differs from the study's stored history")
    if list(record.metric_constraints) != list(spec.metric_constraints):
        problems.append("`metricConstraints` differs from the study's stored history")
    for name, known_print, wanted_print in (
        ("enqueue", record.enqueued, fingerprint(spec.search.enqueue)),
        ("warmStart", record.warm_start, fingerprint(_sources(spec))),
    ):
        if known_print not in (None, wanted_print):
            problems.append(f"`search.{name}` differs from the study's stored history, which began with it")
    for name, known, wanted in (
        ("trial.repeats", record.repeats, spec.trial.repeats),
        ("trial.folds", record.folds, spec.trial.folds),
        *((f"search.{name}", known, _settings(spec)[name]) for name, known in record.settings.items()),
    ):
        if known != wanted:
            problems.append(f"`{name}` is {_word(wanted)}, but {_word(known)} in the study's stored history")
    if record.strategy is not None and _plan_of(spec) not in (None, record.strategy):
        problems.append("`search.sampler` is not the strategy of the study's stored history, or has other options")
    return problems


def same_template(system_attrs: Mapping[str, Any], spec: StudySpec) -> bool:
    """Return whether a study's trials were run as a spec says."""
    return system_attrs.get(_TEMPLATE) == fingerprint(spec.trial.template)


def search_fingerprint(spec: StudySpec) -> str:
    """Return a text that two specs share only if they search the same space in the same way."""
    document = spec.to_document()
    return fingerprint({name: document.get(name) for name in ("search", "parameters", "constraints")})


def search_attrs(spec: StudySpec) -> dict[str, Any]:
    first, *further = _without_goals(spec.objectives)
    search: dict[str, Any] = {
        "objective": first,
        "parameters": [parameter.to_document() for parameter in spec.parameters],
        "constraints": spec.constraints,
        _ENQUEUED: fingerprint(spec.search.enqueue),
        _WARM_START: fingerprint(_sources(spec)),
        **_settings(spec),
        **({_REPEATS: spec.trial.repeats} if spec.trial.repeats > 1 else {}),
        **({_FOLDS: spec.trial.folds} if spec.trial.folds else {}),
    }
    if spec.define_by_run:
        search[_DEFINE_BY_RUN] = True
    if (plan := _plan_of(spec)) is not None:
        search[_STRATEGY] = plan
    if further:
        search[_FURTHER_OBJECTIVES] = further
    if spec.metric_constraints:
        search[_CONSTRAINTS] = [constraint.to_document() for constraint in spec.metric_constraints]
    template = fingerprint(spec.trial.template)
    return {_SEARCH: search, METRIC_NAMES: [each.metric for each in spec.objectives], _TEMPLATE: template}


def _plan_of(spec: StudySpec) -> str | None:
    """Return the fingerprint of how far a strategy lets trials train; it may have more rounds than before."""
    sampler = spec.search.sampler
    if not sampler.name.inherits_checkpoints:
        return None
    options = sampler.parsed_options().to_document()
    return fingerprint([sampler.name.value, {name: options[name] for name in sorted(options.keys() - _FURTHER_ROUNDS)}])


def _settings(spec: StudySpec) -> dict[str, int | None]:
    return {_GIVEN_SEED: spec.search.seed, _DETERMINISTIC: spec.search.deterministic}


def _settings_of(search: Mapping[str, Any]) -> dict[str, int]:
    """Return the settings of a stored search, as far as it has them."""
    known: dict[str, int] = {}
    if search.get(_GIVEN_SEED) is not None:  # without one nothing was to be repeated, and one may be given
        known[_GIVEN_SEED] = attributes.whole(search, _GIVEN_SEED, 0)
    if _DETERMINISTIC in search:
        known[_DETERMINISTIC] = bool(search[_DETERMINISTIC])
    return known


def _word(value: int | None) -> str:
    return "not there" if value is None else json.dumps(value)


def _sources(spec: StudySpec) -> list[dict[str, Any]]:
    return [source.to_document() for source in spec.search.warm_start]


def _objectives_of(search: Mapping[str, Any]) -> list[Any]:
    """Return the objectives of a stored search; what the first versions wrote of the only one is of the first one."""
    return [search["objective"], *search.get(_FURTHER_OBJECTIVES, [])]


def direction_of(objective: Objective) -> StudyDirection:
    return StudyDirection[objective.direction.name]


def _without_goals(objectives: Sequence[Objective]) -> list[dict[str, Any]]:
    documents = (objective.to_document() for objective in objectives)
    return [{name: value for name, value in document.items() if name != "goal"} for document in documents]
