"""A study's trials: what is known of one while it is open, and once it has ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tuning_contract import TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_operator.decisions.run_values import spread_of


class EndState(StrEnum):
    """How a trial ended."""

    COMPLETE = "Complete"
    PRUNED = "Pruned"
    FAILED = "Failed"


@dataclass(frozen=True)
class EarlierAttempts:
    """What became of a trial's attempts before the newest one."""

    failures: int = 0
    """Attempts that failed and were tried again, but for disruptions."""
    disruptions: int = 0
    """Attempts that a disruption ended."""
    running_seconds: float = 0.0
    """Sum of their times with a running pod."""
    reason: str = ""
    """Why the last of them ended: a CamelCase word; empty: there is none."""
    message: str = ""
    """The same as a sentence."""
    retry_at: float | None = None
    """When the newest attempt's Job may be created; None: at once."""
    first: int = 1
    """The trial's first attempt: those below ran for another trial of its number, and count for nothing."""


NO_EARLIER_ATTEMPTS = EarlierAttempts()


@dataclass(frozen=True)
class Lineage:
    """Where a trial of a strategy comes from, and how far it goes."""

    parent: int | None = None
    """The trial that it descends from; None: it has new parameters."""
    inherits: bool = True
    """Whether it goes on from its parent's checkpoint; else it starts afresh, with parameters like its parent's."""
    parent_attempt: int = 1
    """The parent's first attempt, which its directory is named after."""
    generation: int | None = None
    bracket: int | None = None
    rung: int | None = None
    """Each from 0, where the strategy has such."""
    budget: int | None = None
    """Its last step, those of its ancestors counted; None: the trainer decides."""
    note: str = ""
    """How it differs from its parent, as a sentence."""

    @property
    def source(self) -> int | None:
        """The trial from whose checkpoint it goes on; None: it starts afresh."""
        return self.parent if self.inherits else None


NO_LINEAGE = Lineage()


class LastWords(NamedTuple):
    """What is said once in an attempt, and turns what becomes of it: each is stored before anybody hears of it."""

    end: TrialEnd | None = None
    """The SDK's last message."""
    prune_decided_at: float | None = None
    """When it was decided that the trial is not worth going on."""


NOTHING_SAID = LastWords()


@dataclass(frozen=True)
class PodTime:
    """How long the pods of an attempt ran, as far as that is stored."""

    seconds: float = 0.0
    """With a running pod, before `until`."""
    until: float = 0.0
    """Seconds since 1970."""
    goes_on: bool = False
    """Whether a pod ran from then on."""


NO_POD_TIME = PodTime()
"""Nothing is stored."""


@dataclass(frozen=True)
class MuteRun:
    """A run, of several of a trial, without any value of an objective so far."""

    number: int
    missing: tuple[str, ...]
    """The objectives that it lacks, in their order."""


@dataclass(frozen=True)
class OpenTrial:
    """A trial that was asked for and has not been told yet."""

    number: int
    parameters: Mapping[str, ParameterValue]
    fingerprint: str = ""
    """Of the parameters; empty: not known."""
    attempt: int = 1
    """The newest attempt; it is stored before its Job is created."""
    earlier: EarlierAttempts = NO_EARLIER_ATTEMPTS
    """The attempts before it."""
    pod_time: PodTime = NO_POD_TIME
    """What is stored of the newest attempt's pods."""
    seed: int = 0
    """Seed of the training run."""
    lineage: Lineage = NO_LINEAGE
    asked_at: float = 0.0
    """Seconds since 1970."""
    first_report_at: float | None = None
    """When the newest attempt reported first."""
    last_report_at: float | None = None
    """When the newest attempt reported last."""
    last_step: int | None = None
    """The newest attempt's largest reported step."""
    metrics: tuple[str, ...] = ()
    """Names of metrics that were reported, to tell the user when none is the objective; bounded."""
    value: float | None = None
    """The first objective, reduced over the reports so far, the mean of the runs that have any; None: never reported.
    May be NaN or infinite."""
    further: Mapping[str, float] = field(default_factory=dict)
    """The other objectives by metric, reduced likewise, as far as they were reported; they may be NaN or infinite too.
    And other metrics that have a constraint, where they are finite."""
    run_values: Mapping[int, float] = field(default_factory=dict)
    """The first objective of each run that has reported, by the run's number; empty where a trial has only one."""
    mute_run: MuteRun | None = None
    """The first such run, one that ended before one that did not; None: there is none."""
    silent_since: float | None = None
    """When the run that is silent longest, of several that have not ended, reported last; one that never did may wait
    for its pod, and counts as silent from the last report or end of any run. None: as `last_report_at` says."""
    has_stopped: bool = False
    """It is to stop, and of several runs none goes on that has reported: others have nothing to finish."""
    prune_decided_at: float | None = None
    """When it was decided that the trial is not worth going on."""
    end: TrialEnd | None = None
    """The SDK's last message of the newest attempt."""

    @property
    def is_finite(self) -> bool:
        """Whether its objectives are, as far as they were reported."""
        return (self.value is None or math.isfinite(self.value)) and all(map(math.isfinite, self.further.values()))

    @property
    def std(self) -> float | None:
        """Standard deviation of the objective over the runs so far; None where there are not several."""
        return spread_of(self.run_values.values())

    @property
    def last_words(self) -> LastWords:
        """What was said of the newest attempt so far."""
        return LastWords(self.end, self.prune_decided_at)


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that was told."""

    number: int
    state: EndState
    parameters: Mapping[str, ParameterValue]
    value: float | None
    """The first objective: of a pruned trial its last one; None: failed, or pruned before the first report."""
    reason: str
    message: str
    attempt: int
    ended_at: float
    running_seconds: float
    """With a running pod, over all attempts."""
    lineage: Lineage = NO_LINEAGE
    further: Mapping[str, float] = field(default_factory=dict)
    """The other objectives by metric, and other metrics that have a constraint."""
    run_values: Mapping[int, float] = field(default_factory=dict)
    """The objective of each run that had any, by the run's number; empty where a trial has only one."""

    @property
    def std(self) -> float | None:
        """Standard deviation of the objective over the runs; None where there are not several."""
        return spread_of(self.run_values.values())
