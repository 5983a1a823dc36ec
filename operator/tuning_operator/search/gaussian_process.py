"""Optuna's Gaussian process, whose suggestions follow from the trials alone, with bounds on its time and memory."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.study import Study, StudyDirection
from optuna.study._multi_objective import _fast_non_domination_rank
from optuna.trial import FrozenTrial, TrialState

from tuning_operator.api.retries import FailureClass
from tuning_operator.search.attributes import REASON
from tuning_operator.search.feasibility import excesses_in, violation_in, without_constraints

MOST_MODELLED = 500
"""Results that the model is made of: the time to fit it grows with the third power of their number, and the memory with
the second."""
_FIRST = 128
"""Results whose model the fits of more start from: from scratch, a fit to 400 is a third of an ask."""
_TEACHING = frozenset(
    {
        FailureClass.NOT_FINITE,
        FailureClass.OUT_OF_MEMORY,
        FailureClass.ERROR,
        FailureClass.RUN_DEADLINE_EXCEEDED,
        FailureClass.NO_OBJECTIVE,
    }
)
"""Failures that would come again with the same parameters."""


class BoundedGPSampler(GPSampler):
    """Differs from Optuna's sampler in three ways.

    Each fit starts from the model of the first `_FIRST` results, and with fewer from scratch; Optuna's starts from the
    one before, which a restart forgets. Of more than `most_modelled` results, half are the best ones and half are
    spread evenly over the others by their numbers. And trials that failed for what they are count as bad as the worst
    one: the sampler takes the point that its model likes best, which is the same one again as long as nothing is
    learned from it.
    """

    def __init__(self, *, most_modelled: int = MOST_MODELLED, **options: Any) -> None:
        super().__init__(**options)
        self._most_modelled = most_modelled
        self._first: tuple[Sequence[int], Sequence[str]] = (), ()
        """Numbers and parameters of the results that the models are made of which fits start from."""
        self._models_of_first: tuple[Any, Any] = None, None
        """These: of objectives and of bounds."""
        self._only_fits = False

    def _sample_relative_impl(
        self,
        study: Study,
        completed_trials: list[FrozenTrial],
        running_trials: list[FrozenTrial],
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        self._gprs_cache_list, self._constraints_gprs_cache_list = self._start(study, completed_trials, search_space)
        failed = [
            trial
            for trial in study._get_trials(deepcopy=False, states=(TrialState.FAIL,), use_cache=False)
            if trial.user_attrs.get(REASON) in _TEACHING and search_space.keys() <= trial.params.keys()
        ]
        told = _as_bad_as_the_worst(failed, completed_trials, study.directions)
        known = sorted([*completed_trials, *told], key=lambda trial: trial.number)
        modelled = _modelled(known, study.directions, self._most_modelled)
        return super()._sample_relative_impl(study, modelled, running_trials, search_space)

    def _start(
        self, study: Study, complete: list[FrozenTrial], search_space: dict[str, BaseDistribution]
    ) -> tuple[Any, Any]:
        """Return the models that fits start from, of objectives and of bounds; None: from scratch."""
        if len(complete) <= _FIRST:
            return None, None
        of = [trial.number for trial in complete[:_FIRST]], [*search_space]
        if of != self._first:
            self._gprs_cache_list = self._constraints_gprs_cache_list = None
            state = self._rng.rng.get_state()
            self._only_fits = True
            try:
                super()._sample_relative_impl(study, complete[:_FIRST], [], search_space)
            finally:
                self._only_fits = False
                self._rng.rng.set_state(state)
            self._first, self._models_of_first = of, (self._gprs_cache_list, self._constraints_gprs_cache_list)
        return self._models_of_first

    def _optimize_acqf(self, acqf: Any, best_params: np.ndarray | None) -> np.ndarray:
        if self._only_fits:
            return np.zeros(len(acqf.length_scales))  # a point that nobody takes
        return super()._optimize_acqf(acqf, best_params)


def _as_bad_as_the_worst(
    failed: Sequence[FrozenTrial], complete: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
) -> list[FrozenTrial]:
    """Return trials with each objective's worst value, and beyond each bound by as much as any."""
    if not failed:
        return []
    worst = [
        max(values) if direction is StudyDirection.MINIMIZE else min(values)
        for direction, values in zip(directions, zip(*(trial.values for trial in complete), strict=True), strict=True)
    ]
    beyond = [excesses_in(trial) for trial in complete]
    most = {name: max(each[name] for each in beyond) for name in beyond[0]}
    told = []
    for trial in map(copy.copy, failed):
        trial.state, trial.values = TrialState.COMPLETE, worst
        trial.system_attrs = without_constraints(trial.system_attrs) | most
        told.append(trial)
    return told


def _modelled(known: list[FrozenTrial], directions: Sequence[StudyDirection], most: int) -> list[FrozenTrial]:
    """Return at most so many trials, the best and a sample of the others, in the order of their numbers."""
    if len(known) <= most:
        return known
    signs = [1.0 if direction is StudyDirection.MINIMIZE else -1.0 for direction in directions]
    losses = np.array(signs) * np.array([trial.values for trial in known])
    excess = np.array([violation_in(trial) for trial in known])
    best_first = np.argsort(_fast_non_domination_rank(losses, penalty=excess), kind="stable")
    best, others = best_first[: most // 2], np.sort(best_first[most // 2 :])
    spread = others[np.linspace(0, len(others) - 1, most - most // 2).round().astype(int)]
    return [known[index] for index in np.sort(np.concatenate([best, spread]))]
