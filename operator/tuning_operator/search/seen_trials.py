"""A study's trials as its sampler sees them, in memory alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.search.attributes import complete_runs_mean
from tuning_operator.search.feasibility import in_order, without_constraints
from tuning_operator.search.reverse_log import ReversedRange, backwards, forwards, reversed_values

_STUDY_ID = 0


class SeenTrials(InMemoryStorage):
    """A storage for Optuna with one study, in which a sampler makes trials that nobody has asked for yet.

    What is stored and what is seen differ in four ways: a trial that ended runs until its result is told here,
    parameters on a reverse scale run backwards, bounds of metrics are in the order of the study, and a trial that was
    pruned when some of its runs were complete has their mean as its value. Trials that the database has keep their ids,
    those that are made here have negative ones.
    """

    def __init__(
        self,
        name: str,
        directions: Sequence[StudyDirection],
        notes: Mapping[str, Any],
        ranges: Mapping[str, ReversedRange],
        warm: Sequence[FrozenTrial] = (),
        bounds: Sequence[MetricConstraint] = (),
    ) -> None:
        """`notes` are the study's system attributes; `ranges` run backwards, by parameter, as samplers see them.

        `warm` are results of others, numbered from 0: here, the study's own trials are numbered after them.
        """
        super().__init__()
        self.create_new_study(directions, name)
        self._study = self._studies[_STUDY_ID]
        self._study.system_attrs = dict(notes)
        self._ranges = ranges
        self._bounds = bounds
        self._new_notes: dict[str, Any] = {}
        self._first = 0
        for trial in warm:
            self.add(trial)
        self._first = len(warm)

    @property
    def count(self) -> int:
        """How many trials of its own the study has."""
        return len(self._study.trials) - self._first

    def add(self, trial: FrozenTrial, *, as_running: bool = False) -> None:
        """Take the next trial of the history."""
        seen = self._seen(trial)
        if as_running:
            seen = copy.copy(seen)
            seen.state, seen.values, seen.datetime_complete = TrialState.RUNNING, None, None
            seen.intermediate_values = {}
            seen.system_attrs = without_constraints(seen.system_attrs)
        self._study.trials.append(seen)
        self._study.param_distribution.update(seen.distributions)
        self._found_under(seen)

    def tell(self, trial: FrozenTrial) -> None:
        """Take the result of a trial that ran here until now."""
        seen = self._seen(trial)
        del self._trial_id_to_study_id_and_number[self._study.trials[seen.number]._trial_id]
        self._study.trials[seen.number] = seen
        self._found_under(seen)

    def made(self, number: int, given: Mapping[str, Any]) -> FrozenTrial:
        """Return a trial that was made here as it is stored; `given` are the parameters that no sampler chose.

        From now on it is seen as after a restart: turning a value round twice rounds it.
        """
        made = self.own(number)
        stored = forwards(made, self._ranges, given)
        made.params = reversed_values(stored.params, self._ranges)
        stored.number = number
        return stored

    def own(self, number: int) -> FrozenTrial:
        """Return one of the study's own trials as samplers see it."""
        return self._study.trials[number + self._first]

    def distribution(self, parameter: str) -> BaseDistribution | None:
        """Return what a parameter was when a trial had it last; None: no trial has had it."""
        return self._study.param_distribution.get(parameter)

    def name(self, number: int, parameter: str, value: Any, distribution: BaseDistribution) -> None:
        """Let an own trial that runs have one more parameter."""
        self.set_trial_param(self.own(number)._trial_id, parameter, distribution.to_internal_repr(value), distribution)

    def drop(self) -> None:
        """Forget the trial that was made last: its point may not be tried. What was noted about the study stays."""
        trial = self._study.trials.pop()
        del self._trial_id_to_study_id_and_number[trial._trial_id]
        self._prev_waiting_trial_number[_STUDY_ID] = min(self._prev_waiting_trial_number[_STUDY_ID], trial.number)

    def new_notes(self) -> dict[str, Any]:
        """Return what was noted about the study since the last call: system attributes."""
        notes, self._new_notes = self._new_notes, {}
        return notes

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        self._max_trial_id = -2 - self.count
        return super().create_new_trial(study_id, template_trial)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_system_attr(study_id, key, value)
        self._new_notes[key] = value

    def _seen(self, trial: FrozenTrial) -> FrozenTrial:
        seen = backwards(trial, self._ranges)
        mean = complete_runs_mean(trial.user_attrs) if trial.state is TrialState.PRUNED else None
        if self._first or self._bounds or mean is not None:
            seen = copy.copy(seen)
            seen.number += self._first
        if self._bounds:
            seen.system_attrs = in_order(seen.system_attrs, self._bounds)
        if mean is not None:
            seen.state, seen.values = TrialState.COMPLETE, [mean]
        return seen

    def _found_under(self, trial: FrozenTrial) -> None:
        self._trial_id_to_study_id_and_number[trial._trial_id] = (_STUDY_ID, trial.number)
        self._update_cache(trial._trial_id, _STUDY_ID)
