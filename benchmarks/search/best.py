"""The best of a study's trials so far, and how far it is from the best there is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

from benchmarks.search.functions import Function, Point

REFERENCE = (1.1, 11.0)
"""What ZDT1's hypervolume is measured from: a little beyond what any of its points has."""
WHOLE_FRONT = 11 - 1 / 3 + 11 * 0.1
"""The hypervolume of ZDT1's true front f2 = 1 - sqrt(f1): an integral over f1 from 0 to 1, and the rest up to 1.1."""


class Best(Protocol):
    """What a study has found."""

    def take(self, point: Point, values: Sequence[float]) -> float | None:
        """Take a complete trial and what it reported; return how far the best is from the best there is, if that
        changed."""


def nothing_yet(function: Function) -> Best:
    """Return the best of no trials."""
    return BestValue(function) if function.second is None else BestFront()


class BestValue:
    """The trial with the smallest report; it is judged by its value without noise, as if it were deployed."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._smallest = float("inf")

    def take(self, point: Point, values: Sequence[float]) -> float | None:
        """Return how far the trial is above the minimum, if it is the best now."""
        if values[0] >= self._smallest:
            return None
        self._smallest = values[0]
        return self._function.regret(point)


class BestFront:
    """The trials that no other one is better than in both objectives."""

    def __init__(self) -> None:
        self._front: list[tuple[float, float]] = []
        """Ascending in the first objective, descending in the second."""

    def take(self, point: Point, values: Sequence[float]) -> float | None:
        """Return what the front's hypervolume lacks of that of the true one, if the trial is part of it now."""
        first, second = values
        place = bisect_right(self._front, (first, second))
        if place and self._front[place - 1][1] <= second:
            return None
        self._front[place:] = [(first, second), *(each for each in self._front[place:] if each[1] < second)]
        return WHOLE_FRONT - self.hypervolume

    @property
    def hypervolume(self) -> float:
        """The area between the front and the reference point."""
        ends = [first for first, _ in self._front[1:]] + [REFERENCE[0]]
        widths = (end - first for (first, _), end in zip(self._front, ends, strict=True))
        return sum(width * (REFERENCE[1] - second) for width, (_, second) in zip(widths, self._front, strict=True))
