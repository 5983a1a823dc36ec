"""Trying each point of a finite space once, and then no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from tuning_contract.environment import ParameterValue
from tuning_operator.search.grid import Grid


class Walk:
    """A way through a grid, past the points that trials have tried already.

    What was tried is read off the trials, whatever became of them, so that it is the same in parallel and after a
    restart. Optuna's own samplers for this raise at the tell of the last point, and repeat points in parallel and
    after a restart.
    """

    def __init__(self, grid: Grid, order: Callable[[int], int] = int) -> None:
        """`order` says which point of the grid comes at which place of the way; by default they come as numbered."""
        self._grid = grid
        self._order = order
        self._tried: set[int] = set()
        self._drafted: set[int] = set()
        self._seen = 0
        """Trials that `_tried` knows."""
        self._begin = self._place = 0
        """Places of the way before which all points are tried, or tried and drafted."""

    def see(self, trials: Sequence[FrozenTrial]) -> None:
        """Take note of a study's trials: those of earlier calls and maybe more. Drafts are forgotten."""
        for trial in trials[self._seen :]:
            index = self._grid.index(trial.params)
            if index is not None:
                self._tried.add(index)
        self._seen = len(trials)
        self._drafted.clear()
        self._place = self._begin

    def draft(self, trial: FrozenTrial) -> None:
        """Take note of a trial that may still be dropped."""
        index = self._grid.index(trial.params)
        if index is not None:
            self._drafted.add(index)

    @property
    def left(self) -> int:
        """How many points no trial has tried; drafts do not count."""
        return self._grid.size - len(self._tried)

    def is_new(self, point: Mapping[str, Any]) -> bool:
        """Return whether neither a trial nor a draft has a point; one beside the grid is always new."""
        index = self._grid.index(point)
        return index not in self._tried and index not in self._drafted

    def next(self) -> dict[str, ParameterValue] | None:
        """Return the next new point; None: there is none."""
        while self._place < self._grid.size:
            index = self._order(self._place)
            if index in self._tried and self._place == self._begin:
                self._begin += 1
            self._place += 1
            if index not in self._tried and index not in self._drafted:
                return self._grid.point(index)
        return None
