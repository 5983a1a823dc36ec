"""Asking without a database: trials stay in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from optuna.study import StudyDirection
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import FrozenTrial, TrialState

from tuning_contract.environment import ParameterValue
from tuning_operator.api.study import StudySpec
from tuning_operator.search.asking import Asking
from tuning_operator.search.attributes import TOLD_AFTER, asked_attributes
from tuning_operator.search.seeds import training_seed
from tuning_operator.search.space import Space
from tuning_operator.search.suggester import Past

STARTED_AT = datetime(2027, 1, 15, 8)  # noqa: DTZ001 - Optuna's trials have naive local time


class Drafting:
    """A study whose suggestions become trials at once."""

    def __init__(self, spec: StudySpec) -> None:
        self.trials: list[FrozenTrial] = []
        """As they are stored."""
        self.notes: dict[str, Any] = {}
        self._spec = spec
        self._space = Space(spec.parameters)
        self.restart()

    def restart(self) -> None:
        """Ask from now on as a new process does, which knows only the trials."""
        self._seed = 11 if self._spec.search.seed is None else self._spec.search.seed
        self._ended: list[FrozenTrial] = []
        directions = [StudyDirection[self._spec.objective.direction.name]]
        self.asking = Asking(Past("study", directions, self._seed, self._spec, [*self.trials], self.notes))

    def ask(self, count: int) -> list[Mapping[str, ParameterValue]]:
        """Return the next trials' parameters as their trainers get them."""
        suggestions = self.asking.suggest(self._ended, count, seconds=1e9)
        self._ended = []
        for suggestion in suggestions:
            trial = copy.copy(suggestion.trial)
            trial._trial_id, trial.datetime_start = 1000 + trial.number, STARTED_AT
            trial.user_attrs = {**asked_attributes(training_seed(self._seed, trial.number), 1), **trial.user_attrs}
            self.trials.append(trial)
            self.notes |= suggestion.notes
        return [self.typed(suggestion.trial) for suggestion in suggestions]

    def typed(self, trial: FrozenTrial) -> Mapping[str, ParameterValue]:
        """Return a trial's parameters as its trainer gets them."""
        return self._space.typed(trial.params)

    def tell(self, values: Sequence[float | None]) -> None:
        """Complete the oldest open trials with these values; without one, a trial fails."""
        running = [trial for trial in self.trials if trial.state is TrialState.RUNNING]
        for trial, value in zip(running, values, strict=False):
            self.tell_trial(trial.number, value, TrialState.FAIL if value is None else TrialState.COMPLETE)

    def tell_trial(
        self,
        number: int,
        value: float | None,
        state: TrialState = TrialState.COMPLETE,
        values: Mapping[int, float] | None = None,
        excesses: Sequence[float] = (),
        **attributes: Any,
    ) -> None:
        """End a trial, which reported its value at step 1, or what is given by step, with more user attributes.

        `excesses` are what its metrics are beyond their bounds.
        """
        told = copy.copy(self.trials[number])
        told.state, told.datetime_complete = state, STARTED_AT
        told.values = None if value is None or state is TrialState.FAIL else [value]
        told.intermediate_values = dict(values or ({} if value is None else {1: value}))
        beyond = {f"{_CONSTRAINTS_KEY}:bound {index}": excess for index, excess in enumerate(excesses)}
        told.system_attrs = {**told.system_attrs, **beyond}
        told.user_attrs = {**told.user_attrs, TOLD_AFTER: len(self.trials), **attributes}
        self.trials[number] = told
        self._ended.append(told)
