"""How much the front has achieved: the volume of what its trials are better than, down to a reference point.

The gain of a trial is the volume that it alone is better than: that of its box less that of the others' boxes within
it (While, Bradstreet and Barone, "A fast way of calculating exact hypervolumes", 2012). Boxes of two and three
objectives are summed by a sweep over the last objective.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from operator import itemgetter

from tuning_operator.api.several_objectives import MOST_MEASURED
from tuning_operator.decisions.front import Front, Losses

REFERENCE_TRIALS = 10
"""The first complete trials, which the reference point is made of."""
_MARGIN = 0.1
"""How far the reference point lies beyond the worst of them, as a share of their range: the worst count too then."""


@dataclass(frozen=True)
class Hypervolume:
    """What the trials achieved so far. The reference point is fixed once, so that the volume never shrinks."""

    seen: int = 0
    """Complete trials, up to those that the reference point is made of."""
    best: Losses = ()
    """The least loss in each objective of those that are seen."""
    worst: Losses = ()
    """The largest one."""
    reference: Losses = ()
    """The reference point; empty: not known yet."""
    volume: float = 0.0
    """In the product of the objectives' units; may be infinite."""

    def after(self, losses: Losses, before: Front, front: Front) -> Hypervolume:
        """Return it with one complete trial more, which changed the front or not."""
        if len(losses) > MOST_MEASURED:
            return self
        if not self.reference:
            return self._with_seen(losses, front)
        if front is before or not front.is_feasible:
            return self
        others = (member.losses for member in before.rivals(losses)) if before.is_feasible else ()
        gain = _gain(losses, others, self.reference)
        return replace(self, volume=self.volume + gain) if gain > 0 else self

    def _with_seen(self, losses: Losses, front: Front) -> Hypervolume:
        best, worst = tuple(map(min, losses, self.best or losses)), tuple(map(max, losses, self.worst or losses))
        seen = self.seen + 1
        if seen < REFERENCE_TRIALS:
            return Hypervolume(seen, best, worst)
        reference = tuple(most + _MARGIN * (most - least) for most, least in zip(worst, best, strict=True))
        members = (member.losses for member in front.members) if front.is_feasible else ()
        return Hypervolume(seen, best, worst, reference, volume_of(members, reference))


NO_HYPERVOLUME = Hypervolume()


def volume_of(points: Iterable[Losses], reference: Losses) -> float:
    """Return the volume of what points of two or three losses are better than, down to the reference point."""
    first, second, last = reference[0], reference[1], reference[-1]
    inside = [point for point in points if point[0] < first and point[1] < second and point[-1] < last]
    inside.sort(key=itemgetter(-1))
    total, steps = 0.0, _Steps(reference[0], reference[1] if len(reference) == 3 else None)
    for point, following in pairwise([*inside, reference]):
        steps.add(point)
        if following[-1] > point[-1]:
            total += (following[-1] - point[-1]) * steps.area
    return total


def _gain(losses: Losses, others: Iterable[Losses], reference: Losses) -> float:
    sides = [end - loss for loss, end in zip(losses, reference, strict=True)]
    if min(sides) <= 0:
        return 0.0
    within = {tuple(map(max, losses, other)) for other in others}
    return max(0.0, prod(sides) - volume_of(within, reference))


class _Steps:
    """What points cover in the first one or two objectives, up to the reference point: a length, or stairs' area."""

    def __init__(self, first_end: float, second_end: float | None) -> None:
        self._first_end = first_end
        self._second_end = second_end
        self._stairs: list[tuple[float, float]] = []
        """Ascending in the first, falling in the second."""
        self.area = 0.0

    def add(self, point: Losses) -> None:
        """Cover what is beyond a point."""
        if self._second_end is None:
            self.area = max(self.area, self._first_end - point[0])
            return
        first, second = point[0], point[1]
        start = end = bisect_left(self._stairs, (first, second))
        height = self._stairs[start - 1][1] if start else self._second_end
        if height <= second:
            return
        left = first
        while end < len(self._stairs) and self._stairs[end][1] >= second:
            self.area += (self._stairs[end][0] - left) * (height - second)
            left, height = self._stairs[end]
            end += 1
        right = self._stairs[end][0] if end < len(self._stairs) else self._first_end
        self.area += (right - left) * (height - second)
        self._stairs[start:end] = [(first, second)]
