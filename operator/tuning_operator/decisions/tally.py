"""Sums over the finished trials of a study, kept up with each end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

from tuning_operator.api.status import MAX_RECENT
from tuning_operator.api.study import Direction
from tuning_operator.decisions.best_trial import is_better
from tuning_operator.decisions.retrying import is_disruption
from tuning_operator.decisions.snapshot import EndState, FinishedTrial, History, Improvement


@dataclass
class Tally:
    """What a history says of finished trials, under the same names; they are added in the order of their ends."""

    direction: Direction
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    charged_failures: int = 0
    failed_streak: int = 0
    longest_failed_streak: int = 0
    best: FinishedTrial | None = None
    improvements: tuple[Improvement, ...] = ()
    recent: tuple[FinishedTrial, ...] = ()
    running_seconds: float = 0.0
    complete_seconds: float = 0.0
    last_ended_at: float | None = None

    @property
    def ended(self) -> int:
        """Trials that ended."""
        return self.complete + self.pruned + self.failed

    @classmethod
    def of(cls, history: History, direction: Direction) -> Self:
        """Return the sums of a history, to add to."""
        return cls(direction, **{name: getattr(history, name) for name in _SUMS})

    def sums(self) -> dict[str, Any]:
        """Return the fields of a `History` that this is about."""
        return {name: getattr(self, name) for name in _SUMS}

    def add_all(self, trials: Iterable[FinishedTrial]) -> None:
        """Count trials that ended, in whatever order they are given."""
        for trial in sorted(trials, key=lambda trial: (trial.ended_at, trial.number)):
            self.add(trial)

    def add(self, trial: FinishedTrial) -> None:
        """Count a trial that just ended."""
        match trial.state:
            case EndState.COMPLETE:
                self.complete += 1
                self.complete_seconds += trial.running_seconds
            case EndState.PRUNED:
                self.pruned += 1
            case EndState.FAILED:
                self.failed += 1
        self._count_failure(trial)
        self.running_seconds += trial.running_seconds
        self.last_ended_at = trial.ended_at
        self.recent = (trial, *self.recent[: MAX_RECENT - 1])
        if trial.state is EndState.COMPLETE and trial.value is not None:
            self._compare(trial, trial.value)

    def _count_failure(self, trial: FinishedTrial) -> None:
        """A disruption is nobody's fault: it neither adds to a row of failures nor ends it."""
        if trial.state is not EndState.FAILED:
            self.failed_streak = 0
        elif not is_disruption(trial.reason):
            self.charged_failures += 1
            self.failed_streak += 1
            self.longest_failed_streak = max(self.longest_failed_streak, self.failed_streak)

    def _compare(self, trial: FinishedTrial, value: float) -> None:
        """Of equal trials the earlier is the best, whichever ended first."""
        if self.best is None or is_better(value, self.best.value, self.direction):
            self.best = trial
            self.improvements = (*self.improvements, Improvement(self.complete + self.pruned, value))
        elif value == self.best.value and trial.number < self.best.number:
            self.best = trial


_SUMS = [field.name for field in fields(Tally) if field.name != "direction"]
