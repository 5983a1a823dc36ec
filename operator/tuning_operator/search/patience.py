"""Patience, as Optuna's `PatientPruner` has it: another pruner is asked only when a trial gets no better any more."""

from __future__ import annotations

from collections.abc import Mapping

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from tuning_operator.api.pruners import PatientOptions
from tuning_operator.search.curve import Standing
from tuning_operator.search.verdicts import GO_ON, PRUNE, Judged, TrialPruner, Verdict


class PatienceRule(TrialPruner):
    """Passes a trial on to another pruner, or prunes it, when its last steps are worse than the best one before."""

    def __init__(self, options: PatientOptions, direction: StudyDirection, wrapped: TrialPruner | None) -> None:
        """`wrapped` of None: every trial that gets no better is pruned."""
        self._options = options
        self._maximize = direction is StudyDirection.MAXIMIZE
        self._wrapped = wrapped

    def add_complete(self, trial: FrozenTrial) -> None:
        if self._wrapped is not None:
            self._wrapped.add_complete(trial)

    def add_rungs(self, number: int, rungs: Mapping[int, float]) -> None:
        if self._wrapped is not None:
            self._wrapped.add_rungs(number, rungs)

    def remove_rungs(self, number: int, rungs: Mapping[int, float]) -> None:
        if self._wrapped is not None:
            self._wrapped.remove_rungs(number, rungs)

    def judge(self, trial: Judged, standing: Standing) -> Verdict:
        if not self._gets_no_better(trial, standing):
            return GO_ON
        return PRUNE if self._wrapped is None else self._wrapped.judge(trial, standing)

    def _gets_no_better(self, trial: Judged, standing: Standing) -> bool:
        lately = trial.curve.best_of_last(self._options.patience + 1, until=standing.step)
        if lately is None or standing.best is None:
            return False
        # The best of all is the best of those before, or `lately`, which is no worse than itself.
        delta = self._options.min_delta
        return standing.best - delta > lately if self._maximize else standing.best + delta < lately
