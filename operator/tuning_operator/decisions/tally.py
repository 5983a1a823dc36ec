"""Sums over the finished trials of a study, kept up with each end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.status import MAX_RECENT
from tuning_operator.api.study import Objective, StudySpec
from tuning_operator.decisions.best_trial import is_better
from tuning_operator.decisions.feasibility import violation_of
from tuning_operator.decisions.front import NO_FRONT, Front, Losses, losses_of
from tuning_operator.decisions.history import History, Improvement
from tuning_operator.decisions.hypervolume import NO_HYPERVOLUME, Hypervolume
from tuning_operator.decisions.retrying import is_disruption
from tuning_operator.decisions.trial_value import known_values, objective_values
from tuning_operator.decisions.trials import EndState, FinishedTrial


@dataclass
class Tally:
    """What a history says of finished trials, under the same names; they are added in the order of their ends."""

    objectives: Sequence[Objective]
    constraints: Sequence[MetricConstraint] = ()
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    charged_failures: int = 0
    failed_streak: int = 0
    longest_failed_streak: int = 0
    best: FinishedTrial | None = None
    improvements: tuple[Improvement, ...] = ()
    front: Front = NO_FRONT
    hypervolume: Hypervolume = NO_HYPERVOLUME
    recent: tuple[FinishedTrial, ...] = ()
    running_seconds: float = 0.0
    complete_seconds: float = 0.0
    last_ended_at: float | None = None

    @property
    def ended(self) -> int:
        """Trials that ended."""
        return self.complete + self.pruned + self.failed

    @classmethod
    def of(cls, history: History, spec: StudySpec) -> Self:
        """Return the sums of a history, to add to."""
        return cls(spec.objectives, spec.metric_constraints, **{name: getattr(history, name) for name in _SUMS})

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
        if trial.state is EndState.COMPLETE:
            self._compare(trial)

    def _count_failure(self, trial: FinishedTrial) -> None:
        """A disruption is nobody's fault: it neither adds to a row of failures nor ends it."""
        if trial.state is not EndState.FAILED:
            self.failed_streak = 0
        elif not is_disruption(trial.reason):
            self.charged_failures += 1
            self.failed_streak += 1
            self.longest_failed_streak = max(self.longest_failed_streak, self.failed_streak)

    def _compare(self, trial: FinishedTrial) -> None:
        if self._is_plainly_worse(trial):
            return
        violation, losses = self._rank(trial)
        if len(self.objectives) > 1:
            self._join(trial, violation, losses)
        elif self.best is None or (violation, losses) < self._rank(self.best):
            self.best = trial
            if violation == 0:
                self._improve(next(iter(objective_values(trial, self.objectives).values())))
        elif (violation, losses) == self._rank(self.best) and trial.number < self.best.number:
            self.best = trial  # of equal trials the earlier is the best, whichever ended first

    def _is_plainly_worse(self, trial: FinishedTrial) -> bool:
        """Whether one value says that a trial is not the best, as it is with most trials of most studies."""
        if self.best is None or self.constraints:
            return False
        return trial.value is None or is_better(self.best.value, trial.value, self.objectives[0].direction)

    def _rank(self, trial: FinishedTrial) -> tuple[float, Losses]:
        """Return what a trial is compared by: what it violates, and then what it lost."""
        values = objective_values(trial, self.objectives)
        violation = violation_of(known_values(trial, self.objectives), self.constraints) if self.constraints else 0.0
        return violation, losses_of([*values.values()], self.objectives)

    def _join(self, trial: FinishedTrial, violation: float, losses: Losses) -> None:
        before, achieved = self.front, self.hypervolume
        self.front = before.with_trial(trial, losses, violation)
        self.hypervolume = achieved.after(losses, before, self.front)
        if self.hypervolume.reference and (not achieved.reference or self.hypervolume.volume > achieved.volume):
            self._improve(self.hypervolume.volume)

    def _improve(self, value: float) -> None:
        self.improvements = (*self.improvements, Improvement(self.complete + self.pruned, value))


_SUMS = [field.name for field in fields(Tally) if field.name not in ("objectives", "constraints")]
