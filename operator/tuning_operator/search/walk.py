"""Trying each point of a space once, and then no more."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

from tuning_contract.environment import ParameterValue
from tuning_operator.search.feasible_points import MOST_SKIPPED, FeasiblePoints
from tuning_operator.search.grid import Grid
from tuning_operator.search.shuffle import Shuffle

_LOOKED_AT = 10_000
"""How many points are looked at for one that has some values already."""


class Walk:
    """A way through a grid, past the points that trials have tried already.

    What was tried is read off the trials, whatever became of them, so that it is the same in parallel and after a
    restart. Optuna's own samplers for this raise at the tell of the last point, and repeat points in parallel and
    after a restart.
    """

    def __init__(
        self,
        grid: Grid,
        feasible: FeasiblePoints,
        order: Shuffle | None = None,
        endless: Collection[str] = (),
    ) -> None:
        """`order` says which point of the grid comes at which place of the way; None: they come as numbered.

        `endless` are parameters that may have other values than those of the grid.
        """
        self._grid = grid
        self._feasible = feasible
        self._order = order
        self.endless = endless
        self._tried: set[int] = set()
        self._size = None if endless else feasible.count_of(grid) or None
        """How many points there are; None: they are endless, none is feasible, or they are too many to be counted."""
        self._beside: set[Hashable] = set()
        """What was tried beside the grid."""
        self._place = 0
        """Of the way, before which all points are tried or infeasible."""

    def add(self, point: Mapping[str, Any]) -> None:
        """Take note of a point that a trial has, or will have."""
        index = self._grid.index(point)
        if index is None:
            self._beside.add(self._grid.identity(point))
        else:
            self._tried.add(index)

    @property
    def left(self) -> int | None:
        """How many points no trial has tried; None: it is not known."""
        return None if self._size is None else self._size - len(self._tried)

    @property
    def is_at_its_end(self) -> bool:
        """Whether all points are behind; where `next` found none before that, too few are feasible."""
        return self._place == self._grid.size

    def is_new(self, point: Mapping[str, Any]) -> bool:
        """Return whether no trial has a point."""
        index = self._grid.index(point)
        return self._grid.identity(point) not in self._beside if index is None else index not in self._tried

    def has_part(self, given: Mapping[str, Any]) -> bool:
        """Return whether the way leads to all of some values."""
        return self._grid.has_part(given)

    def next_with(self, given: Mapping[str, ParameterValue]) -> dict[str, ParameterValue] | None:
        """Return the next new feasible point that has some values already; None: there is none, or none near by."""
        if not self.has_part(given):
            return None
        _, point = self._find(given, _LOOKED_AT)
        return None if point is None else {**point, **given}

    def next(self) -> dict[str, ParameterValue] | None:
        """Return the next new feasible point, again and again until a trial tries it; None: none was found."""
        self._place, point = self._find({}, MOST_SKIPPED)
        return point

    def _find(self, given: Mapping[str, ParameterValue], most: int) -> tuple[int, dict[str, ParameterValue] | None]:
        """Return the place of the next new feasible point with some values, and it; None: so many others come first."""
        place, others = self._place, 0
        while place < self._grid.size and others < most:
            index, following = self._index(place), place + 1
            if index not in self._tried:
                point = self._grid.point(index)
                against = self._grid.differing(point, given) or self._feasible.names_against(point)
                if not against:
                    return place, point
                others += 1
                if self._order is None:
                    following = self._grid.after(index, against)
            place = following
        return place, None

    def _index(self, place: int) -> int:
        return place if self._order is None else self._order(place)
