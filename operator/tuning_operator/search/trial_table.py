"""A study's trials as numbers in columns, for samplers that look at all of them at each ask."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_COMPLETE, _PRUNED, _INFEASIBLE, _RUNNING, _NONE = range(5)
"""Kinds of trials, in the order in which TPE takes them for good; one that failed is none."""
_KINDS = {TrialState.COMPLETE: _COMPLETE, TrialState.PRUNED: _PRUNED, TrialState.RUNNING: _RUNNING}


class TrialTable:
    """Rows are trials by number. A row is made anew when its trial was replaced, which storages do at each change."""

    def __init__(self, direction: StudyDirection) -> None:
        self._sign = -1.0 if direction is StudyDirection.MAXIMIZE else 1.0
        self._trials: Sequence[FrozenTrial] = []
        self._count = 0
        self._distributions: dict[str, BaseDistribution] = {}
        self._columns: dict[str, Numbers] = {}
        """Values as Optuna's models have them, by parameter; NaN: the trial has none."""
        self._order = np.empty((3, 0))
        """Of each trial its kind, and by which two numbers it is ordered among its kind; smaller ones are better."""

    def update(
        self, trials: Sequence[FrozenTrial], count: int, params_of: Callable[[FrozenTrial], Mapping[str, Any]]
    ) -> None:
        """Take so many of a study's trials, those of earlier calls and maybe more; nobody may change the sequence.

        `params_of` returns a trial's parameters.
        """
        if trials is self._trials and count == self._count:
            return
        known = self._trials
        changed = [trial for old, trial in zip(known, islice(trials, self._count), strict=False) if old is not trial]
        changed += trials[self._count : count]
        self._make_room(count)
        # Finished ones first: a running one may have parameters whose kind only those know.
        for trial in sorted(changed, key=lambda trial: trial.state is TrialState.RUNNING):
            self._set(trial, params_of(trial))
        self._trials, self._count = trials, count

    def split(self, good: int, *, with_running: bool, most: int) -> tuple[Places, Places]:
        """Return which trials are good, at most so many, and which are not; each in the order of their numbers.

        Of those that are not good and have finished, `most` are returned: a sample, spread evenly over their numbers.
        """
        kind = self._order[0, : self._count]
        others = kind < _RUNNING
        best = self._best(good)
        others[best] = False
        finished = _sample(np.flatnonzero(others), most)
        running = np.flatnonzero((kind == _RUNNING) & with_running)
        return np.sort(best), np.sort(np.concatenate((finished, running)))

    def _best(self, count: int) -> Places:
        """Return the best of the finished trials, at most so many."""
        kind, first, second = self._order[:, : self._count]
        complete = np.flatnonzero(kind == _COMPLETE)
        if count < len(complete):
            # To sort all of them would take most of the time.
            values = first[complete]
            near = complete[values <= np.partition(values, count)[count]]
            best: Places = near[np.argsort(first[near], kind="stable")][:count]
        else:
            best = np.lexsort((second, first, kind))[: min(count, self.finished)]
        return best

    @property
    def finished(self) -> int:
        """How many trials are complete or pruned."""
        return int(np.count_nonzero(self._order[0, : self._count] < _RUNNING))

    def values(self, places: Places, names: Iterable[str]) -> dict[str, Numbers]:
        """Return the values of those of these trials that have all of these parameters, by parameter."""
        nobody = np.full(self._order.shape[1], math.nan)
        found = {name: self._columns.get(name, nobody)[places] for name in names}
        has_all = ~np.any([np.isnan(values) for values in found.values()], axis=0)
        return {name: values[has_all] for name, values in found.items()}

    def _make_room(self, count: int) -> None:
        rows = self._order.shape[1]
        if count > rows:
            more = max(count, 2 * rows) - rows
            self._order = np.pad(self._order, ((0, 0), (0, more)), constant_values=_NONE)
            for name, values in self._columns.items():
                self._columns[name] = np.pad(values, (0, more), constant_values=math.nan)

    def _set(self, trial: FrozenTrial, params: Mapping[str, Any]) -> None:
        self._order[:, trial.number] = self._rank(trial)
        self._distributions.update(trial.distributions)
        for values in self._columns.values():
            values[trial.number] = math.nan
        for name, value in params.items():
            if name in self._distributions:
                if name not in self._columns:
                    self._columns[name] = np.full(self._order.shape[1], math.nan)
                self._columns[name][trial.number] = self._distributions[name].to_internal_repr(value)

    def _rank(self, trial: FrozenTrial) -> tuple[float, float, float]:
        kind = _KINDS.get(trial.state, _NONE)
        if kind in (_COMPLETE, _PRUNED) and (violation := sum(v for v in trial.constraints.values() if v > 0)) > 0:
            return _INFEASIBLE, violation, 0.0
        if kind == _COMPLETE:
            assert trial.value is not None
            return kind, self._sign * trial.value, 0.0
        if kind == _PRUNED and trial.intermediate_values:
            step, value = max(trial.intermediate_values.items())
            return kind, -step, math.inf if math.isnan(value) else self._sign * value
        return kind, 1.0, 0.0


_SPREAD = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: multiples of it, modulo 2^64, lie evenly wherever one stops (Knuth, 6.4)."""


def _sample(places: Places, count: int) -> Places:
    """Return so many places, evenly spread; which ones depends on the places alone, and changes little with more."""
    if len(places) <= count:
        return places
    keys = places.astype(np.uint64) * np.uint64(_SPREAD)
    return places[np.argpartition(keys, count)[:count]]
