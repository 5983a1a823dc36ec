"""Sums over the finished trials of a study, kept up with each end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from tuning_operator.api.status import MAX_RECENT
from tuning_operator.api.study import Direction
from tuning_operator.decisions.snapshot import EndState, FinishedTrial


class Tally:
    """What a history says of finished trials; they are added in the order of their ends."""

    def __init__(self, direction: Direction, finished: Iterable[FinishedTrial] = ()) -> None:
        self.counts: Counter[EndState] = Counter()
        self.failed_streak = 0
        self.longest_failed_streak = 0
        self.best: FinishedTrial | None = None
        self.running_seconds = 0.0
        self.last_ended_at: float | None = None
        self._direction = direction
        self._recent: deque[FinishedTrial] = deque(maxlen=MAX_RECENT)
        for trial in sorted(finished, key=lambda trial: (trial.ended_at, trial.number)):
            self.add(trial)

    @property
    def recent(self) -> tuple[FinishedTrial, ...]:
        """Those that ended last, the newest first."""
        return tuple(self._recent)

    def add(self, trial: FinishedTrial) -> None:
        """Count a trial that just ended."""
        self.counts[trial.state] += 1
        self.failed_streak = self.failed_streak + 1 if trial.state is EndState.FAILED else 0
        self.longest_failed_streak = max(self.longest_failed_streak, self.failed_streak)
        self.running_seconds += trial.running_seconds
        self.last_ended_at = trial.ended_at
        self._recent.appendleft(trial)
        if trial.state is EndState.COMPLETE and self._is_better(trial):
            self.best = trial

    def _is_better(self, trial: FinishedTrial) -> bool:
        """Of equal trials the earlier is the best, whichever ended first."""
        if trial.value is None:
            return False
        if self.best is None or self.best.value is None:
            return True
        if trial.value == self.best.value:
            return trial.number < self.best.number
        return (trial.value > self.best.value) == (self._direction is Direction.MAXIMIZE)
