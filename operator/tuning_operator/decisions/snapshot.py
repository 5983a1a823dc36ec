"""What a decision is made from: one study, its trials and its Jobs at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuning_operator.api.status import StudyStatus
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.failure import Failure
from tuning_operator.decisions.history import History
from tuning_operator.decisions.seen_jobs import StrayJob, TrialJob
from tuning_operator.decisions.trials import FinishedTrial


@dataclass(frozen=True)
class StudyKey:
    """Which study; the uid tells a study from an earlier one of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


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
    search_failure: str = ""
    """Why the sampler failed when it was asked last; empty when it did not."""
    problem: str = ""
    """Why no Job can be created (the API server's words on the dry run); empty when there is none."""
    refusal: str = ""
    """What is wrong with a newer spec than this one; empty when there is none."""
    blocked_until: float | None = None
    """When creating Jobs may be tried again after a problem; seconds since 1970."""
    room: int | None = None
    """How many Jobs there is room for at a time, whatever `parallelism` says; None: no limit is known."""
    allowance: Allowance = UNLIMITED
    """How many trials the operator's caps let the study ask for."""
    held_back: str = ""
    """The cap that the study met last; empty: none."""
    warnings: tuple[str, ...] = ()
    """What the API server warned of on the dry run."""
