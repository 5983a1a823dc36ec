"""What this project keeps in attributes of Optuna's tables: their names, how they are written, and how they are read.

Whoever can write to the database can write anything there, and JSON as Python writes it has NaN and infinities. So all
of it comes in here: what this project would not have written is `Unreadable`, and goes no further.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.trials import NO_EARLIER_ATTEMPTS, NO_POD_TIME, EarlierAttempts, PodTime

ATTEMPT, SEED, REASON, MESSAGE, RUNNING_SECONDS, EARLIER_ATTEMPTS, POD_TIME, RUNGS, METRICS, RUN_VALUES, STD = (
    f"tuning:{name}"
    for name in (
        "attempt",
        "seed",
        "reason",
        "message",
        "running_seconds",
        "earlier_attempts",
        "pod_time",
        "rungs",
        "metrics",
        "run_values",
        "std",
    )
)
"""User attributes of a trial, which notebooks and dashboards show; `POD_TIME` is there only where a queue had to
do with it, `RUNGS` where a pruner has rungs, `METRICS` where metrics that are no objectives have a constraint,
`RUN_VALUES` and `STD` where a trial has several runs."""
TOLD_AFTER = "tuning:told_after"
"""User attribute of a finished trial: how many trials had been asked for when its result was told."""
COMPLETE_RUNS_MEAN = "tuning:complete_runs_mean"
"""User attribute of a trial that was pruned when some of its runs were complete: the mean of their values."""
NAMESPACE, NAME, UID, CREATED, ACTIVE_TIME, OUTLOOK = (
    f"tuning:{name}" for name in ("namespace", "name", "uid", "created", "active_time", "outlook")
)
"""User attributes of a study; `CREATED` is in seconds since 1970, `OUTLOOK` is there once a local run has ended."""

_LARGEST = 1e11
"""No time and no number of seconds is above this, the year 5138: sums and products of such numbers stay finite."""
MOST_ATTEMPTS = 10**8
"""The label of a Job, and a column of the database, have room for so many."""
_LARGEST_SEED = 2**63


@dataclass(frozen=True)
class KeptOutlook:
    """What a study's search could still do when a run of it ended."""

    search: str
    """Fingerprint of that search; what another one can do is not known."""
    size: Annotated[int, Field(ge=0)] | None
    """How many trials it can have; None: endlessly many, or not known."""
    infeasible: str
    """Why constraints leave no further trial, as a sentence; empty: they do not."""


class Unreadable(ValueError):
    """An attribute has a value that this project does not write; the message names both."""


@dataclass(frozen=True)
class TrialAttributes:
    """What the attributes of a trial say."""

    attempt: int
    seed: int
    reason: str
    message: str
    running_seconds: float
    earlier: EarlierAttempts
    pod_time: PodTime
    """Of the newest attempt."""
    rungs: Mapping[int, float]
    """Its value at each rung that it has come to, by the rung's step."""
    told_after: int
    metrics: Mapping[str, float]
    """What it reported of metrics that have a constraint and are no objectives."""
    run_values: Mapping[int, float]
    """The first objective of each of its runs, by the run's number."""
    complete_runs_mean: float | None
    """What samplers learn of a pruned trial as of a complete one; None: nothing."""


def from_json(text: str) -> Any:
    """Return the value of an attribute; what is no JSON counts as null, which none of our attributes is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def written(value: EarlierAttempts | PodTime | ActiveTime | KeptOutlook) -> dict[str, Any]:
    """Return the attribute's value, as JSON."""
    return asdict(value)


def trial_attributes(attrs: Mapping[str, Any]) -> TrialAttributes:
    """Return what a trial's attributes say; raises `Unreadable`."""
    attempt = whole(attrs, ATTEMPT, 1, MOST_ATTEMPTS)
    earlier = NO_EARLIER_ATTEMPTS
    if EARLIER_ATTEMPTS in attrs:
        earlier = _read(_attempts, EARLIER_ATTEMPTS, attrs[EARLIER_ATTEMPTS])
    if not 1 <= earlier.first <= attempt:
        raise _unreadable(EARLIER_ATTEMPTS, attrs[EARLIER_ATTEMPTS])
    return TrialAttributes(
        attempt=attempt,
        seed=whole(attrs, SEED, 0, _LARGEST_SEED),
        reason=text(attrs, REASON, ""),
        message=text(attrs, MESSAGE, ""),
        running_seconds=seconds(attrs, RUNNING_SECONDS, 0.0),
        earlier=earlier,
        pod_time=_pod_time_of(attrs, attempt),
        rungs=rungs(attrs),
        told_after=told_after(attrs),
        metrics=_read(_metrics, METRICS, attrs[METRICS]) if METRICS in attrs else {},
        run_values=run_values(attrs),
        complete_runs_mean=complete_runs_mean(attrs),
    )


def asked_attributes(seed: int, first_attempt: int) -> dict[str, Any]:
    """Return the attributes of a trial that is asked for."""
    attrs: dict[str, Any] = {ATTEMPT: first_attempt, SEED: seed}
    if first_attempt > 1:
        attrs[EARLIER_ATTEMPTS] = written(EarlierAttempts(first=first_attempt))
    return attrs


def told_after(trial_attrs: Mapping[str, Any]) -> int:
    """Return after how many asks a trial's result was told; one of an earlier version was told before all that matter.

    Raises `Unreadable`.
    """
    return whole(trial_attrs, TOLD_AFTER, 0) if TOLD_AFTER in trial_attrs else 0


def written_pod_time(value: PodTime, attempt: int) -> dict[str, Any]:
    """Return the attribute's value; it says of which attempt it is."""
    return {**written(value), "attempt": attempt}


def _pod_time_of(attrs: Mapping[str, Any], attempt: int) -> PodTime:
    """Return what is stored of an attempt's pods; what is stored of an earlier attempt's counts no more."""
    stored = attrs.get(POD_TIME)
    if stored is None:
        return NO_POD_TIME
    of = stored.get("attempt") if isinstance(stored, dict) else None
    if type(of) is not int or not 1 <= of <= attempt:
        raise _unreadable(POD_TIME, stored)
    known: PodTime = _read(_pod_time, POD_TIME, {name: value for name, value in stored.items() if name != "attempt"})
    return known if of == attempt else NO_POD_TIME


def written_numbers(values: Mapping[int, float]) -> dict[str, float]:
    """Return a trial's values at its rungs, by the rung's step, or those of its runs, as JSON has them."""
    return {str(step): value for step, value in values.items()}


def rungs(trial_attrs: Mapping[str, Any]) -> dict[int, float]:
    """Return a trial's values at its rungs, by the rung's step; none by default. Raises `Unreadable`."""
    if RUNGS not in trial_attrs:
        return {}
    values: dict[int, float] = _read(_numbers, RUNGS, trial_attrs[RUNGS])
    if any(math.isnan(value) for value in values.values()):
        raise _unreadable(RUNGS, trial_attrs[RUNGS])
    return values


def run_values(trial_attrs: Mapping[str, Any]) -> dict[int, float]:
    """Return the value of each of a trial's runs, by the run's number; none by default. Raises `Unreadable`."""
    if RUN_VALUES not in trial_attrs:
        return {}
    values: dict[int, float] = _read(_numbers, RUN_VALUES, trial_attrs[RUN_VALUES])
    if not all(map(math.isfinite, values.values())):
        raise _unreadable(RUN_VALUES, trial_attrs[RUN_VALUES])
    return values


def complete_runs_mean(trial_attrs: Mapping[str, Any]) -> float | None:
    """Return the mean of a pruned trial's complete runs; None: it has none. Raises `Unreadable`."""
    mean = trial_attrs.get(COMPLETE_RUNS_MEAN)
    if mean is not None and not (type(mean) in (int, float) and math.isfinite(mean)):
        raise _unreadable(COMPLETE_RUNS_MEAN, mean)
    return mean


def active_time(study_attrs: Mapping[str, Any]) -> ActiveTime | None:
    """Return a study's clock; None: it has been going since the first trial. Raises `Unreadable`."""
    return _read(_clock, ACTIVE_TIME, study_attrs[ACTIVE_TIME]) if ACTIVE_TIME in study_attrs else None


def kept_outlook(study_attrs: Mapping[str, Any]) -> KeptOutlook | None:
    """Return what a study's search could do when a run ended; None: none has ended yet. Raises `Unreadable`."""
    return _read(_outlook, OUTLOOK, study_attrs[OUTLOOK]) if OUTLOOK in study_attrs else None


def created_at(study_attrs: Mapping[str, Any]) -> float:
    """Return when a study was created, in seconds since 1970, to list studies by their age.

    One whose time can't be read must not keep the others from being listed: it counts as the oldest, with 0.
    """
    try:
        return seconds(study_attrs, CREATED)
    except Unreadable:
        return 0.0


def whole(attrs: Mapping[str, Any], name: str, least: int, most: int = _LARGEST_SEED) -> int:
    """Return a whole number; raises `Unreadable`."""
    value = attrs.get(name)
    if type(value) is not int or not least <= value <= most:
        raise _unreadable(name, value)
    return value


def text(attrs: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text; raises `Unreadable`."""
    value = attrs.get(name, default)
    if not isinstance(value, str):
        raise _unreadable(name, value)
    return value


def flag(attrs: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """Return whether something is so; raises `Unreadable`."""
    value = attrs.get(name, default)
    if not isinstance(value, bool):
        raise _unreadable(name, value)
    return value


def seconds(attrs: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """Return a time or a number of seconds; raises `Unreadable`."""
    value = attrs.get(name, default)
    if type(value) not in (int, float) or not _is_plausible(value):
        raise _unreadable(name, value)
    return float(value)


def _is_plausible(number: float) -> bool:
    """Whether a number may be a count, a time or a number of seconds; NaN and infinities are none."""
    return 0 <= number <= _LARGEST


def _plausible(value: Any) -> Any:
    for name, number in asdict(value).items():
        if isinstance(number, int | float) and not _is_plausible(number):
            raise ValueError(f"{name} is {number}")
    return value


_attempts: TypeAdapter[EarlierAttempts] = TypeAdapter(Annotated[EarlierAttempts, AfterValidator(_plausible)])
_pod_time: TypeAdapter[PodTime] = TypeAdapter(Annotated[PodTime, AfterValidator(_plausible)])
_numbers = TypeAdapter(dict[Annotated[int, Field(ge=0)], float])
_metrics = TypeAdapter(dict[str, Annotated[float, Field(allow_inf_nan=False)]])
_clock: TypeAdapter[ActiveTime] = TypeAdapter(Annotated[ActiveTime, AfterValidator(_plausible)])
_outlook = TypeAdapter(KeptOutlook)


def _read(adapter: TypeAdapter[Any], name: str, value: Any) -> Any:
    try:
        # Through JSON, for that is how pydantic takes an object as strictly as it takes the fields.
        return adapter.validate_json(json.dumps(value), strict=True)
    except (ValidationError, ValueError, RecursionError) as error:
        raise _unreadable(name, value) from error


def _unreadable(name: str, value: Any) -> Unreadable:
    shown = "missing" if value is None else repr(value)[:200]
    return Unreadable(f"`{name}` is {shown}")
