"""What a study knows before its first trial: results of others, as far as they fit into its space.

They are read once and kept with the study, in a system attribute: what becomes of their sources later changes nothing.
They are no trials of the study: they have no number, and only its sampler sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.named_parameters import NamedParameter
from tuning_operator.api.samplers import SamplerName
from tuning_operator.api.study import StudySpec
from tuning_operator.api.warm_start import WarmStart
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy
from tuning_operator.search.database import Database
from tuning_operator.search.feasibility import attr_names
from tuning_operator.search.gaussian_process import MOST_MODELLED
from tuning_operator.search.space import Space, distribution, stored_values
from tuning_operator.search.warm_bounds import Bounds
from tuning_operator.search.warm_fitting import Fitting, FittingTrial, of_one_kind
from tuning_operator.search.warm_sources import MAX_TRIALS, Source, find_source, finite, read_study
from tuning_operator.search.warm_table import read_table

WARM_START = "tuning:warm_start"
"""A system attribute of a study."""
_EXCESSES = "excesses"
"""Of that: how far each trial is beyond each bound of metrics, in the study's order."""

_FIRST_ID = -(10**9)
"""Samplers note ids of trials: these stay the same over restarts and are nobody else's."""
_LONG_AGO = datetime(2000, 1, 1)  # noqa: DTZ001 - Optuna's trials have naive local time
_MOST = {SamplerName.GP: MOST_MODELLED}
"""Trials that a sampler learns from, where it is fewer than others can."""


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
    taken: list[FittingTrial] = []
    report = []
    objectives = [objective.metric for objective in spec.objectives]
    for index, warm_start in enumerate(spec.search.warm_start):
        try:
            source = _read(database, warm_start, study, owner, spec)
            values_of = _picked(source, spec)
        except ValueError as problem:
            raise InvalidStudy([f"`search.warmStart[{index}]`: {warm_start} {problem}"]) from None
        bounds = Bounds(objectives, spec.metric_constraints)
        fitting = Fitting(spec.parameters, bounds, by_run=spec.define_by_run)
        found = (fitting.taken(result, values_of(result.values)) for result in source.trials)
        some = [trial for trial in found if trial is not None]
        report.append(f"{len(some)} of {len(source.trials)} complete trials of {warm_start} are used{fitting.report()}")
        taken += some
    kept = of_one_kind(taken)
    if len(kept) < len(taken):
        report.append(f"{len(taken) - len(kept)} of them are not, for later ones have a parameter of another kind")
    most = _MOST.get(spec.search.sampler.name, MAX_TRIALS)
    if len(kept) > most:
        report.append(f"only the newest {most:,} of them all, for more would make asking slow")
    return {**_written(kept[-most:]), "report": "; ".join(report)}


def _written(trials: Sequence[FittingTrial]) -> dict[str, Any]:
    """Return trials as `warm_trials` reads them: what code may name stands once, for many trials share it."""
    parameters = {id(parameter): parameter for trial in trials for parameter, _ in trial.named.values()}
    places = {identity: place for place, identity in enumerate(parameters)}
    lines: list[list[Any]] = []
    for trial in trials:
        lines.append([trial.parameters, trial.values])
        if trial.named:
            lines[-1].append([[places[id(parameter)], value] for parameter, value in trial.named.values()])
    named = [parameter.to_document() for parameter in parameters.values()]
    excesses = [trial.excesses for trial in trials]
    return {
        "trials": lines,
        **({"named": named} if named else {}),
        **({_EXCESSES: excesses} if any(excesses) else {}),
    }


def warm_trials(stored: Any, space: Space, count: int, constraints: Sequence[MetricConstraint] = ()) -> WarmTrials:
    """Return what an attribute holds, for a study of `count` objectives and these bounds of metrics.

    Raises
    ------
    ValueError
        Somebody else has written it.
    """
    if stored is None:
        return NO_WARM_TRIALS
    if not isinstance(stored, dict) or not isinstance(stored.get("report"), str):
        raise ValueError(f"`{WARM_START}` is {str(stored)[:200]}")
    parameters = [NamedParameter.model_validate(document, by_alias=True) for document in stored.get("named", [])]
    named = [(parameter, distribution(parameter)) for parameter in parameters]
    trials = [_frozen(number, line, space, named) for number, line in enumerate(stored["trials"])]
    if any(len(trial.values) != count or not finite(trial.values) for trial in trials):
        raise ValueError(f"a trial of `{WARM_START}` has not {count} finite values")
    for trial, excesses in zip(trials, _excesses(stored, len(trials), constraints), strict=True):
        trial.system_attrs = excesses
    return WarmTrials(trials, stored["report"])


def _excesses(
    stored: Mapping[str, Any], trials: int, constraints: Sequence[MetricConstraint]
) -> list[dict[str, float]]:
    """Return each trial's attributes of its bounds; earlier versions took all trials to keep them, and wrote none."""
    names = attr_names(constraints)
    lists = [[float(excess) for excess in each] for each in stored.get(_EXCESSES, [[0.0] * len(names)] * trials)]
    if not all(map(finite, lists)):
        raise ValueError(f"an excess of `{WARM_START}` is not finite")
    return [dict(zip(names, each, strict=True)) for each in lists]


def _frozen(
    number: int, line: Sequence[Any], space: Space, named: Sequence[tuple[NamedParameter, BaseDistribution]]
) -> FrozenTrial:
    given, values, *of_code = line
    params = space.stored(given)
    distributions = {name: space.distributions[name] for name in params}
    for place, value in of_code[0] if of_code else ():
        parameter, distributions[parameter.name] = named[place]
        (params[parameter.name],) = stored_values(parameter, [value])
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


def _read(database: Database, warm_start: WarmStart, study: StudyKey, owner: str, spec: StudySpec) -> Source:
    bounded = [constraint.metric for constraint in spec.metric_constraints]
    if warm_start.csv is not None:
        objectives = [objective.metric for objective in spec.objectives]
        return read_table(warm_start.csv, spec.parameters, objectives, bounded)
    with database.reading() as connection:
        study_id = find_source(connection, warm_start, study, owner)
        if study_id is None:
            raise ValueError("is not in the storage, or not for this namespace; correct the name, or remove it")
        return read_study(connection, study_id, study, bounded)


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
