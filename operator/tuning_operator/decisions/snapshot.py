"""What a decision is made from: one study, its trials and its Jobs at one moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tuning_contract import TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_operator.api.retries import FailureClass
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.front import NO_FRONT, Front
from tuning_operator.decisions.hypervolume import NO_HYPERVOLUME, Hypervolume
from tuning_operator.decisions.run_values import spread_of


@dataclass(frozen=True)
class StudyKey:
    """Which study; the uid tells a study from an earlier one of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


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
    """The trial from whose checkpoint it goes on; None: it starts afresh."""
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
    pod_time: PodTime = PodTime()
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
    mute_run: int | None = None
    """The first of several runs without any value of an objective so far; None: there is none."""
    silent_since: float | None = None
    """When the run that is silent longest, of several that have not ended, reported last; one that never did may wait
    for its pod, and counts as silent from the last report of any run. None: as `last_report_at` says."""
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


class Improvement(NamedTuple):
    """A trial that was better than all before it."""

    judged: int
    """How many trials had ended as complete or pruned, with this one."""
    value: float
    """The objective; of several objectives the front's hypervolume."""


@dataclass(frozen=True)
class ActiveTime:
    """A clock that stands while a study is suspended or has ended."""

    seconds: float = 0.0
    """Counted until it stood last."""
    since: float | None = None
    """When it began to go again, in seconds since 1970; None: it stands."""

    def seconds_at(self, now: float) -> float:
        """Return what it shows."""
        return self.seconds + (max(0.0, now - self.since) if self.since is not None else 0.0)


@dataclass(frozen=True)
class History:
    """A study's trials: the open ones in full, the finished ones as sums, so that its size is bounded."""

    total: int = 0
    """Trials that were ever asked for; their numbers are 0 to total-1."""
    open: tuple[OpenTrial, ...] = ()
    """By number."""
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    charged_failures: int = 0
    """Failed trials, but for those that a disruption ended."""
    failed_streak: int = 0
    """Charged failures since the last trial that did not fail, in the order of their ends."""
    longest_failed_streak: int = 0
    """Most charged failures one after the other; it only grows."""
    best: FinishedTrial | None = None
    """The best complete trial that meets the constraints; while there is none, the one that violates them least."""
    improvements: tuple[Improvement, ...] = ()
    """Each time that a better trial than all before it came."""
    front: Front = NO_FRONT
    """The Pareto front of several objectives; there is no best trial then."""
    hypervolume: Hypervolume = NO_HYPERVOLUME
    """How much it has achieved."""
    recent: tuple[FinishedTrial, ...] = ()
    """Those that ended last, the newest first."""
    running_seconds: float = 0.0
    """Sum over the finished trials."""
    complete_seconds: float = 0.0
    """The part of it of complete trials."""
    active: ActiveTime = ActiveTime()
    """The study's own clock."""
    exhausted: bool = False
    """The sampler has no further point to try."""
    infeasible: str = ""
    """Why it has none, where constraints leave too few points to find one: a sentence."""
    waits: bool = False
    """The search has nothing to try before another trial has ended."""
    warm_start: str = ""
    """What the search knew before its first trial, as a sentence; empty: nothing."""
    started_at: float | None = None
    """When the first trial was asked for."""
    last_ended_at: float | None = None
    """When the last of the finished trials ended."""

    @property
    def typical_seconds(self) -> float:
        """Mean time with a running pod of the complete trials; 0 while there is none."""
        return self.complete_seconds / self.complete if self.complete else 0.0


class JobPhase(StrEnum):
    """How far a Job is."""

    SUSPENDED = "Suspended"
    """A queue (Kueue), or whoever suspended it, holds it back: it has no pod and gets none."""
    PENDING = "Pending"
    """No pod of it is running."""
    RUNNING = "Running"
    """A pod of it is running."""
    COMPLETE = "Complete"
    """Its condition Complete is true: the container exited with 0."""
    FAILED = "Failed"
    """Its condition Failed is true."""


SIGKILL_EXIT_CODE = 137
"""What a container exits with that was killed: at its memory limit, or for any other reason."""


@dataclass(frozen=True)
class TrialJob:
    """A Job as it was seen last."""

    name: str
    trial: int
    attempt: int
    phase: JobPhase
    created_at: float
    """Seconds since 1970."""
    fingerprint: str = ""
    """Of the parameters that it trains; empty: it does not say."""
    released_at: float | None = None
    """When a queue let it go last; None: none ever held it back."""
    running_at: float | None = None
    """When its pod was first seen running, since a queue let it go."""
    held_since: float | None = None
    """Since when a queue holds it back; None: it does not."""
    earlier_pods: tuple[tuple[float, float], ...] = ()
    """From when to when pods of it ran that a queue took, as far as this process saw; the oldest first."""
    ended_at: float | None = None
    """When it became Complete or Failed."""
    deleting: bool = False
    """Its deletion has been asked for."""
    terminating_since: float | None = None
    """Since when its only pod has been told to end, and is still there; None: it has not."""
    exit_code: int | None = None
    """Exit code of the training container, where the Job's condition names it."""
    message: str = ""
    """Why it failed, or why its pod does not start, in the cluster's words."""
    disrupted: bool = False
    """It failed because its pod was disrupted, not by itself."""
    cause: str | None = None
    """What its pod says of its end: the reason of its condition DisruptionTarget, or OOMKilled; empty: nothing special,
    None: it was not asked."""

    @property
    def awaits_cause(self) -> bool:
        """Whether its pod is still to be asked why it ended; whoever observes Jobs asks soon, and always answers."""
        if self.cause is not None:
            return False
        if self.phase is JobPhase.FAILED:
            return self.disrupted or self.exit_code in (None, SIGKILL_EXIT_CODE)
        return self.is_active and (self.disrupted or self.exit_code == SIGKILL_EXIT_CODE)

    @property
    def is_active(self) -> bool:
        """Whether it may have a pod, or get one."""
        return self.phase in (JobPhase.SUSPENDED, JobPhase.PENDING, JobPhase.RUNNING)

    @property
    def waiting_since(self) -> float:
        """Since when it has been allowed to have a pod; seconds since 1970."""
        return self.created_at if self.released_at is None else self.released_at


class StrayJob(NamedTuple):
    """A Job that fits none of its study's trials."""

    job: TrialJob
    why: str
    """A sentence."""


Failure = tuple[FailureClass, str]
"""Why an attempt failed: the class and a sentence."""


@dataclass(frozen=True)
class Allowance:
    """What an operator's caps leave to a study."""

    trials: int
    """How many more may be asked for now."""
    cap: str = ""
    """The cap that leaves so few, as a sentence."""


UNLIMITED = Allowance(1_000_000)


@dataclass(frozen=True)
class Snapshot:
    """One study at one moment."""

    now: float
    """Seconds since 1970."""
    study: StudyKey
    generation: int
    spec: StudySpec
    history: History
    jobs: tuple[TrialJob, ...]
    """The study's Jobs: the active ones, and those of open trials. Until their TTL there are thousands of others."""
    strays: tuple[StrayJob, ...] = ()
    """Jobs that fit none of its trials."""
    ended: Mapping[int, FinishedTrial] = field(default_factory=dict)
    """Those finished trials that an active Job still belongs to."""
    vanished: frozenset[tuple[int, int]] = frozenset()
    """(trial, attempt) of Jobs that were seen once and exist no more."""
    read_logs: Mapping[tuple[int, int], Failure | None] = field(default_factory=dict)
    """(trial, attempt) whose log was read, where metrics come from there -> why not to its end; None: it was."""
    status: StudyStatus = field(default_factory=StudyStatus)
    """The status that was written last."""
    storage_trouble: str = ""
    """Why trials' reports can't be stored now; empty when they can."""
    problem: str = ""
    """Why no Job can be created (the API server's words on the dry run); empty when there is none."""
    refusal: str = ""
    """What is wrong with a newer spec than this one; empty when there is none."""
    blocked_until: float | None = None
    """When creating Jobs may be tried again after a problem; seconds since 1970."""
    allowance: Allowance = UNLIMITED
    """How many trials the operator's caps let the study ask for."""
    held_back: str = ""
    """The cap that the study met last; empty: none."""
    warnings: tuple[str, ...] = ()
    """What the API server warned of on the dry run."""
