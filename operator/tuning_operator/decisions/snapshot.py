"""What a decision is made from: one study, its trials and its Jobs at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tuning_contract import TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.study import StudySpec


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
class OpenTrial:
    """A trial that was asked for and has not been told yet."""

    number: int
    parameters: Mapping[str, ParameterValue]
    attempt: int = 1
    """The newest attempt; it is stored before its Job is created."""
    seed: int = 0
    """Seed of the training run."""
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
    """The objective, reduced over the reports so far; None: never reported. May be NaN or infinite."""
    prune_decided_at: float | None = None
    """When it was decided that the trial is not worth going on."""
    end: TrialEnd | None = None
    """The SDK's last message of the newest attempt."""


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that was told."""

    number: int
    state: EndState
    parameters: Mapping[str, ParameterValue]
    value: float | None
    """The objective: of a pruned trial its last one; None: failed, or pruned before the first report."""
    reason: str
    message: str
    attempt: int
    ended_at: float
    running_seconds: float
    """With a running pod, in the attempt that ended."""


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
    failed_streak: int = 0
    """Failed trials since the last one that did not fail, in the order of their ends."""
    longest_failed_streak: int = 0
    """Most failed trials one after the other, in the order of their ends; it only grows."""
    best: FinishedTrial | None = None
    """The best complete trial."""
    recent: tuple[FinishedTrial, ...] = ()
    """Those that ended last, the newest first."""
    running_seconds: float = 0.0
    """Sum over the finished trials."""
    exhausted: bool = False
    """The sampler has no further point to try."""
    started_at: float | None = None
    """When the first trial was asked for."""
    last_ended_at: float | None = None
    """When the last of the finished trials ended."""


class JobPhase(StrEnum):
    """How far a Job is."""

    PENDING = "Pending"
    """No pod of it is running."""
    RUNNING = "Running"
    """A pod of it is running."""
    COMPLETE = "Complete"
    """Its condition Complete is true: the container exited with 0."""
    FAILED = "Failed"
    """Its condition Failed is true."""


@dataclass(frozen=True)
class TrialJob:
    """A Job as it was seen last."""

    name: str
    trial: int
    attempt: int
    phase: JobPhase
    created_at: float
    """Seconds since 1970."""
    running_at: float | None = None
    """When its pod was first seen running; it stays when a queue suspends the Job later."""
    ended_at: float | None = None
    """When it became Complete or Failed."""
    deleting: bool = False
    """Its deletion has been asked for."""
    exit_code: int | None = None
    """Exit code of the training container, where the Job's condition names it."""
    message: str = ""
    """Why it failed, or why its pod does not start, in the cluster's words."""

    @property
    def is_active(self) -> bool:
        """Whether it may have a pod, or get one."""
        return self.phase in (JobPhase.PENDING, JobPhase.RUNNING)

    def running_seconds(self, now: float) -> float:
        """Return how long its pod has run."""
        if self.running_at is None:
            return 0.0
        return max(0.0, (self.ended_at if self.ended_at is not None else now) - self.running_at)


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
    """All Jobs of the study that exist, in any phase."""
    ended: Mapping[int, FinishedTrial] = field(default_factory=dict)
    """Those finished trials that an active Job still belongs to."""
    vanished: frozenset[tuple[int, int]] = frozenset()
    """(trial, attempt) of Jobs that were seen once and exist no more."""
    read_logs: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """(trial, attempt) whose log was read, where metrics come from there -> why not to its end; empty: it was."""
    status: StudyStatus = field(default_factory=StudyStatus)
    """The status that was written last."""
    problem: str = ""
    """Why no Job can be created (the API server's words on the dry run); empty when there is none."""
    refusal: str = ""
    """What is wrong with a newer spec than this one; empty when there is none."""
    blocked_until: float | None = None
    """When creating Jobs may be tried again after a problem; seconds since 1970."""
    warnings: tuple[str, ...] = ()
    """What the API server warned of on the dry run."""
