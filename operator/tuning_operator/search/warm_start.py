"""What a study knows before its first trial: results of others, as far as they fit into its space.

They are read once and kept with the study, in a system attribute: what becomes of their sources later changes nothing.
They are no trials of the study: they have no number, and only its sampler sees them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.api.samplers import SamplerName
from tuning_operator.api.study import StudySpec
from tuning_operator.api.warm_start import WarmStart
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy
from tuning_operator.search.database import Database
from tuning_operator.search.space import Space
from tuning_operator.search.warm_sources import (
    MAX_TRIALS,
    Source,
    cell_value,
    find_source,
    finite,
    read_csv,
    read_study,
)

WARM_START = "tuning:warm_start"
"""A system attribute of a study."""

_FIRST_ID = -(10**9)
"""Samplers note ids of trials: these stay the same over restarts and are nobody else's."""
_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - Optuna's trials have naive local time
_SHOWN_REASONS = 3
_MOST = {SamplerName.GP: 500}
"""Trials that a sampler learns from; the time of a GP grows with their number's third power."""


@dataclass(frozen=True)
class WarmTrials:
    """Results of others in a study's space."""

    trials: Sequence[FrozenTrial]
    """As they would be stored, numbered from 0."""
    report: str
    """What was used of which source, and what did not fit, as sentences; empty: the study has no warm start."""


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
    for index, warm_start in enumerate(spec.search.warm_start):
        try:
            source = _read(database, warm_start, study, owner, [objective.metric for objective in spec.objectives])
            values_of = _picked(source, spec)
        except ValueError as problem:
            raise InvalidStudy([f"`search.warmStart[{index}]`: {warm_start} {problem}"]) from None
        fitting = _Fitting(spec.parameters, is_text=warm_start.csv is not None)
        some = [trial for trial in (fitting.taken(given, values_of(v)) for given, v in source.trials) if trial]
        report.append(f"{len(some)} of {len(source.trials)} complete trials of {warm_start} are used{fitting.report()}")
        taken += some
    most = _MOST.get(spec.search.sampler.name, MAX_TRIALS)
    if len(taken) > most:
        report.append(f"only the newest {most:,} of them all, for more would make asking slow")
    return {"trials": taken[-most:], "report": "; ".join(report)}


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
    trials = [_frozen(number, given, values, space) for number, (given, values) in enumerate(stored["trials"])]
    if any(len(trial.values) != count or not finite(trial.values) for trial in trials):
        raise ValueError(f"a trial of `{WARM_START}` has not {count} finite values")
    return WarmTrials(trials, stored["report"])


def _frozen(number: int, given: Mapping[str, Any], values: Sequence[float], space: Space) -> FrozenTrial:
    params = space.stored(given)
    trial = FrozenTrial(
        number=number,
        trial_id=_FIRST_ID - number,
        state=TrialState.COMPLETE,
        value=None,
        values=[float(value) for value in values],
        datetime_start=_LONG_AGO,
        datetime_complete=_LONG_AGO,
        params=params,
        distributions={name: space.distributions[name] for name in params},
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


class _Fitting:
    """Takes trials into a space, and counts what keeps the others out."""

    def __init__(self, parameters: Sequence[Parameter], is_text: bool) -> None:
        self._parameters = parameters
        self._is_text = is_text
        self._problems: Counter[str] = Counter()
        self._unknown: set[str] = set()

    def taken(self, given: Mapping[str, Any], values: Sequence[float]) -> tuple[dict[str, Any], list[float]] | None:
        """Return a trial's parameters and values in this space; None: it does not fit."""
        self._unknown |= given.keys() - {parameter.name for parameter in self._parameters}
        fitting, problem = self._fitting(given)
        if not problem and not finite(values):
            problem = "a value is not finite"
        if problem:
            self._problems[problem] += 1
            return None
        return fitting, list(values)

    def _fitting(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return a trial's parameters in this space, and which of them does not fit."""
        fitting: dict[str, Any] = {}
        for parameter in self._parameters:
            if not parameter.is_active(fitting):
                continue
            value = self._value(parameter, given)
            if value is None:
                return fitting, f"`{parameter.name}` is missing"
            if not parameter.contains(value):
                return fitting, f"`{parameter.name}` lies outside of its values"
            fitting[parameter.name] = int(value) if parameter.type is ParameterType.INT else value
        return fitting, ""

    def _value(self, parameter: Parameter, given: Mapping[str, Any]) -> Any:
        value = given.get(parameter.name, parameter.value)  # a source knows nothing of what is Fixed here
        if self._is_text and isinstance(value, str):
            choices = [parameter.value] if parameter.value is not None else parameter.choices
            return cell_value(value, choices, parameter.type is ParameterType.INT)
        return value

    def report(self) -> str:
        """Return what did not fit, as the end of a sentence."""
        reasons = [f"{why} in {count}" for why, count in self._problems.most_common(_SHOWN_REASONS)]
        parts = [f" (left out: {', '.join(reasons)})"] if reasons else []
        if self._unknown:
            names = ", ".join(f"`{str(name)[:64]}`" for name in sorted(self._unknown, key=str)[:_SHOWN_REASONS])
            parts.append(f" (not a parameter here: {names}{' …' if len(self._unknown) > _SHOWN_REASONS else ''})")
        return "".join(parts)
