"""The Pareto front: the complete trials that no other one is better than in all objectives."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from math import inf, isfinite
from operator import le
from typing import NamedTuple

from tuning_operator.api.status import MAX_FRONT
from tuning_operator.api.study import Direction, Objective
from tuning_operator.decisions.trials import FinishedTrial

Losses = tuple[float, ...]
"""A trial's values in the order of the objectives, with the sign that makes smaller ones better."""


_LOOKED_AT = 400
"""Trials of which those to show are chosen: that takes some 10 ms, on the event loop."""


class Member(NamedTuple):
    """A trial on the front."""

    losses: Losses
    trial: FinishedTrial


@dataclass(frozen=True)
class Front:
    """Grows trial by trial; one that joins makes another front. Trials of equal values are there once, as the earliest.

    A trial that meets the constraints is better than any that does not; of those, the one that violates them least.
    """

    members: tuple[Member, ...] = ()
    """By their losses, ascending."""
    violation: float = inf
    """By how much its trials violate the constraints, each by as much; 0: not at all."""

    def with_trial(self, trial: FinishedTrial, losses: Losses, violation: float = 0.0) -> Front:
        """Return the front once a trial is complete: itself, if the trial does not join it."""
        if violation != self.violation:
            return self if violation > self.violation else Front((Member(losses, trial),), violation)
        place = bisect_left(self.members, losses, key=_losses)
        before, after = self.members[:place], self.members[place:]
        if after and after[0].losses == losses:
            if after[0].trial.number < trial.number:
                return self
            return Front((*before, Member(losses, trial), *after[1:]), violation)
        if any(_all_le(member.losses, losses) for member in _possible_dominators(before, losses)):
            return self
        return Front((*before, Member(losses, trial), *_not_dominated(after, losses)), violation)

    def rivals(self, losses: Losses) -> Sequence[Member]:
        """Return the trials that are better than others where one with these losses may be alone.

        Of two objectives these are its neighbours, and those that it is better than.
        """
        place = bisect_left(self.members, losses, key=_losses)
        if len(losses) != 2:
            return self.members
        after = self.members[place:]
        return self.members[max(0, place - 1) : place + _worse(after, losses) + 1]

    @property
    def is_feasible(self) -> bool:
        """Whether its trials meet the constraints."""
        return self.violation == 0

    @cached_property
    def shown(self) -> tuple[FinishedTrial, ...]:
        """The trials that the status has room for, the best in the first objective first.

        These are the best trial in each objective, and then one after the other that which is farthest from those that
        are chosen already, each objective taken relative to its range on the front. Of a very large front, only every
        so-manieth trial is looked at.
        """
        if len(self.members) <= MAX_FRONT:
            return tuple(member.trial for member in self.members)
        step = 1 + len(self.members) // _LOOKED_AT
        candidates = {member.losses: member for member in (*self.members[::step], *self.ideal)}
        points = sorted(candidates)
        return tuple(candidates[points[place]].trial for place in sorted(_spread(points)))

    @cached_property
    def ideal(self) -> tuple[Member, ...]:
        """The best trial in each objective."""
        count = len(self.members[0].losses) if self.members else 0
        return tuple(min(self.members, key=lambda member: member.losses[index]) for index in range(count))


NO_FRONT = Front()


def losses_of(values: Sequence[float], objectives: Sequence[Objective]) -> Losses:
    """Return values in the order of the objectives with the sign that makes smaller ones better."""
    return tuple(
        -value if objective.direction is Direction.MAXIMIZE else value
        for value, objective in zip(values, objectives, strict=True)
    )


def _losses(member: Member) -> tuple[float, ...]:
    return member.losses


def _all_le(losses: Losses, others: Losses) -> bool:
    return all(map(le, losses, others))


def _possible_dominators(before: Sequence[Member], losses: Losses) -> Sequence[Member]:
    """Return which members may be better; of two objectives, the last one before has the least in the second."""
    return before[-1:] if len(losses) == 2 else before[::-1]


def _not_dominated(after: Sequence[Member], losses: Losses) -> Sequence[Member]:
    if len(losses) == 2:
        return after[_worse(after, losses) :]
    return [member for member in after if not _all_le(losses, member.losses)]


def _worse(after: Sequence[Member], losses: Losses) -> int:
    """Return how many of those that come next are worse in the second of two objectives, in which they fall."""
    return sum(1 for _ in takewhile(lambda member: member.losses[1] >= losses[1], after))


def _spread(points: Sequence[Losses]) -> list[int]:
    """Return the places of `MAX_FRONT` points that are far from one another; there are more."""
    units = _units(points)
    objectives = range(len(units[0]))
    chosen = list(dict.fromkeys(min(range(len(units)), key=lambda place: units[place][of]) for of in objectives))
    distances = [inf] * len(units)
    for count in range(MAX_FRONT):
        if count == len(chosen):
            chosen.append(max(range(len(units)), key=distances.__getitem__))
        latest = units[chosen[count]]
        distances = [min(known, _squared(unit, latest)) for known, unit in zip(distances, units, strict=True)]
        distances[chosen[count]] = -inf
    return chosen


def _units(points: Sequence[Losses]) -> list[Losses]:
    """Return the points with each objective from 0 to 1."""
    halves = [tuple(loss / 2 for loss in point) for point in points]  # the range of what a float holds is too large
    columns = list(zip(*halves, strict=True))
    lows = [min(column) for column in columns]
    spans = [max(column) - low for column, low in zip(columns, lows, strict=True)]
    factors = [1 / span if span > 0 and isfinite(1 / span) else 0.0 for span in spans]
    return [
        tuple((loss - low) * factor for loss, low, factor in zip(point, lows, factors, strict=True)) for point in halves
    ]


def _squared(unit: Losses, other: Losses) -> float:
    return sum([(a - b) * (a - b) for a, b in zip(unit, other, strict=True)])
