"""What a study knows before its first trial: results of others, as far as they fit into its space.

They are read once and kept with the study, in a system attribute: what becomes of their sources later changes nothing.
They are no trials of the study: they have no number, and only its sampler sees them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from tuning_operator.api.samplers import SamplerName
from tuning_operator.api.study import StudySpec
from tuning_operator.api.warm_start import WarmStart
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy
from tuning_operator.search.database import Database
from tuning_operator.search.naming import is_same_kind
from tuning_operator.search.space import Space
from tuning_operator.search.warm_fitting import Fitting, Kinds
from tuning_operator.search.warm_sources import MAX_TRIALS, Source, find_source, finite, read_csv, read_study

WARM_START = "tuning:warm_start"
"""A system attribute of a study."""

_FIRST_ID = -(10**9)
"""Samplers note ids of trials: these stay the same over restarts and are nobody else's."""
_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - Optuna's trials have naive local time
_MOST = {SamplerName.GP: 500}
"""Trials that a sampler learns from; the time of a GP grows with their number's third power."""


@dataclass(frozen=True)
class WarmTrials:
    """Results of others in a study's space."""

    trials: Sequence[FrozenTrial]
    """As they would be stored, numbered from 0."""
    report: str
    """What was used of which source, and what did not fit, as sentences; empty: the study has no warm start."""

    @cached_property
    def _kinds(self) -> Mapping[str, Set[BaseDistribution]]:
        """What each parameter can be, in one trial or another."""
        found: dict[str, set[BaseDistribution]] = {}
        for trial in self.trials:
            for name, kind in trial.distributions.items():
                found.setdefault(name, set()).add(kind)
        return found

    def contradict(self, name: str, kind: BaseDistribution) -> bool:
        """Return whether a trial has a parameter of this name and of another kind."""
        return not all(is_same_kind(kind, known) for known in self._kinds.get(name, ()))

    def without_contradictions(self, named: Mapping[str, BaseDistribution]) -> WarmTrials:
        """Return those none of whose parameters is of another kind than what the study's code has named so."""
        if not any(self.contradict(name, kind) for name, kind in named.items()):
            return self
        found = []
        for trial in self.trials:
            known = trial.distributions
            if all(is_same_kind(kind, known[name]) for name, kind in named.items() if name in known):
                found.append(copy.copy(trial))
                found[-1].number = len(found) - 1
        return replace(self, trials=found)


NO_WARM_TRIALS = WarmTrials((), "")


def read_warm_start(database: Database, study: StudyKey, owner: str, spec: StudySpec) -> dict[str, Any] | None:
    """Read a study's sources; return the value of the attribute, None: it has none.

    Raises
    ------
    InvalidStudy
        A source is missing, or is no table of the study's objective.
    StorageDamaged
        A source can't be read.
    """
    if not spec.search.warm_start:
        return None
    taken, report = [], []
    kinds = Kinds() if spec.define_by_run else None
    for index, warm_start in enumerate(spec.search.warm_start):
        try:
            source = _read(database, warm_start, study, owner, [objective.metric for objective in spec.objectives])
            values_of = _picked(source, spec)
        except ValueError as problem:
            raise InvalidStudy([f"`search.warmStart[{index}]`: {warm_start} {problem}"]) from None
        fitting = Fitting(spec.parameters, kinds, is_text=warm_start.csv is not None)
        some = [
            trial for trial in (fitting.taken(result, values_of(result.values)) for result in source.trials) if trial
        ]
        report.append(f"{len(some)} of {len(source.trials)} complete trials of {warm_start} are used{fitting.report()}")
        taken += some
    most = _MOST.get(spec.search.sampler.name, MAX_TRIALS)
    if len(taken) > most:
        report.append(f"only the newest {most:,} of them all, for more would make asking slow")
    named = {} if kinds is None else {"named": kinds.to_json()}
    return {"trials": taken[-most:], "report": "; ".join(report), **named}


def warm_trials(stored: Any, space: Space, count: int) -> WarmTrials:
    """Return what an attribute holds, for a study of `count` objectives.

    Raises
    ------
    ValueError
        Somebody else has written it.
    """
    if stored is None:
        return NO_WARM_TRIALS
    if not isinstance(stored, dict) or not isinstance(stored.get("report"), str):
        raise ValueError(f"`{WARM_START}` is {str(stored)[:200]}")
    kinds = [json_to_distribution(kind) for kind in stored.get("named", [])]
    trials = [
        _frozen(number, given, values, space, kinds, *named)
        for number, (given, values, *named) in enumerate(stored["trials"])
    ]
    if any(len(trial.values) != count or not finite(trial.values) for trial in trials):
        raise ValueError(f"a trial of `{WARM_START}` has not {count} finite values")
    return WarmTrials(trials, stored["report"])


def _frozen(
    number: int,
    given: Mapping[str, Any],
    values: Sequence[float],
    space: Space,
    kinds: Sequence[BaseDistribution],
    named: Mapping[str, tuple[int, float]] = MappingProxyType({}),
) -> FrozenTrial:
    """Make a trial; `named` are parameters that are not the study's own, each with its kind's place and its value."""
    distributions = {name: kinds[place] for name, (place, _) in named.items()}
    params = {name: distributions[name].to_external_repr(value) for name, (_, value) in named.items()}
    for name, value in space.stored(given).items():
        params[name], distributions[name] = value, space.distributions[name]
    trial = FrozenTrial(
        number=number,
        trial_id=_FIRST_ID - number,
        state=TrialState.COMPLETE,
        value=None,
        values=[float(value) for value in values],
        datetime_start=_LONG_AGO,
        datetime_complete=_LONG_AGO,
        params=params,
        distributions=distributions,
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )
    trial._validate()
    return trial


def _read(database: Database, warm_start: WarmStart, study: StudyKey, owner: str, metrics: Sequence[str]) -> Source:
    if warm_start.csv is not None:
        return read_csv(warm_start.csv, metrics)
    with database.reading() as connection:
        study_id = find_source(connection, warm_start, study, owner)
        if study_id is None:
            raise ValueError("is not in the storage, or not for this namespace; correct the name, or remove it")
        return read_study(connection, study_id, study)


def _picked(source: Source, spec: StudySpec) -> Any:
    """Return what picks a study's values from a source's; raises `ValueError` with the rest of a sentence."""
    wanted = [objective.metric for objective in spec.objectives]
    if source.metrics is not None:
        missing = [metric for metric in wanted if metric not in source.metrics]
        if missing:
            raise ValueError(f"has no values of `{missing[0]}` but of {', '.join(map(str, source.metrics))}; remove it")
        places = [source.metrics.index(metric) for metric in wanted]
        return lambda values: [values[place] for place in places]
    if source.directions != [objective.direction.name for objective in spec.objectives]:
        raise ValueError(f"has objectives to {' and '.join(source.directions)}, unlike this study; remove it")
    return list
