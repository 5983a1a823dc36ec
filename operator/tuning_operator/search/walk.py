"""Trying each point of a finite space once, and then no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        self._place = 0
        """Of the way, before which all points are tried."""

    def add(self, trial: FrozenTrial) -> None:
        """Take note of a trial."""
        index = self._grid.index(trial.params)
        if index is not None:
            self._tried.add(index)

    @property
    def left(self) -> int:
        """How many points no trial has tried."""
        return self._grid.size - len(self._tried)

    def is_new(self, point: Mapping[str, Any]) -> bool:
        """Return whether no trial has a point; one beside the grid is always new."""
        return self._grid.index(point) not in self._tried

    def next(self) -> dict[str, ParameterValue] | None:
        """Return the next new point, again and again until a trial tries it; None: there is none."""
        while self._place < self._grid.size:
            index = self._order(self._place)
            if index not in self._tried:
                return self._grid.point(index)
            self._place += 1
        return None
