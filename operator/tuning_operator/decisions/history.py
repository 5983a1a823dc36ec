"""All that a study's trials came to so far; `tally.py` keeps the sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tuning_operator.decisions.front import NO_FRONT, Front
from tuning_operator.decisions.hypervolume import NO_HYPERVOLUME, Hypervolume
from tuning_operator.decisions.trials import FinishedTrial, OpenTrial


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
class InOrder:
    """Trials that ended, in the order of their numbers."""

    counted: History
    """What trials 0 to total-1 came to, all of which have ended."""
    ahead: Mapping[int, FinishedTrial] = field(default_factory=dict)
    """Those after them that ended, by number."""
    stop: int | None = None
    """The last one counted, if a rule holds with it; None: none does."""


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
    size: int | None = None
    """How many trials the search can have, enqueued ones included; None: endlessly many, or not known yet."""
    infeasible: str = ""
    """Why it is exhausted, where constraints leave too few points to find one: a sentence."""
    waits: bool = False
    """The search has nothing to try before another trial has ended."""
    warm_start: str = ""
    """What the search knew before its first trial, as a sentence; empty: nothing."""
    started_at: float | None = None
    """When the first trial was asked for."""
    last_ended_at: float | None = None
    """When the last of the finished trials ended."""
    in_order: InOrder | None = None
    """What stop rules look at in a deterministic study that has some; None: at all that has ended."""

    @property
    def exhausted(self) -> bool:
        """Whether the search has no further point to try."""
        return self.size is not None and self.total >= self.size

    @property
    def typical_seconds(self) -> float:
        """Mean time with a running pod of the complete trials; 0 while there is none."""
        return self.complete_seconds / self.complete if self.complete else 0.0
