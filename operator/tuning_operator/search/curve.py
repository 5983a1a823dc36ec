"""A trial's objective by step, and what follows from it, without another look at the steps before."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from tuning_operator.api.study import Direction, Objective, Reduce


class Standing(NamedTuple):
    """What a pruner looks at: how a trial stood after a step."""

    step: int
    """The largest step so far."""
    step_before: int | None
    """The largest step but one."""
    value: float
    """The value at the largest step."""
    best: float | None
    """The best value so far, an infinite one too; None: all are NaN."""

    def is_first_in_interval(self, warmup: int, interval: int) -> bool:
        """Return whether no earlier step lies in the step's interval; intervals begin after the warm-up steps."""
        begin = (self.step - warmup) // interval * interval + warmup
        return self.step >= warmup and (self.step_before is None or self.step_before < begin)


class Curve:
    """What one trial reported of the objective. A value costs the same however many came before it."""

    def __init__(self, objective: Objective, values: Mapping[int, float] | None = None) -> None:
        self._reduce = objective.reduce
        self._better = max if objective.direction is Direction.MAXIMIZE else min
        self._restart()
        self.add(values or {})

    @property
    def steps(self) -> Collection[int]:
        """The steps with a value."""
        return self._values.keys()

    @property
    def last_step(self) -> int | None:
        """The largest step; None: there are no values."""
        return self._steps[-1] if self._steps else None

    def at(self, step: int) -> float | None:
        """Return the value of a step; None: it has none."""
        return self._values.get(step)

    def steps_between(self, after: int, until: int) -> Sequence[int]:
        """Return the steps above `after` and not above `until`, ascending."""
        return self._steps[bisect_right(self._steps, after) : bisect_right(self._steps, until)]

    def values(self) -> dict[int, float]:
        """Return a copy of the values by step."""
        return dict(self._values)

    @property
    def standing(self) -> Standing | None:
        """How the trial stands; None: there are no values."""
        if not self._steps:
            return None
        last, before_last = self._steps[-1], self._steps[-2] if len(self._steps) > 1 else None
        return Standing(last, before_last, self._values[last], self._best)

    @property
    def value(self) -> float | None:
        """The trial's value, as `decisions.trial_value.reduce_values` defines it; None: there are no values."""
        if not self._steps:
            return None
        last = self._values[self._steps[-1]]
        match self._reduce:
            case Reduce.LAST:
                return last
            case Reduce.MEAN:
                return self._mean()
            case Reduce.BEST:
                return last if self._best_finite is None else self._best_finite

    @property
    def is_finite(self) -> bool:
        """Whether the trial's value is, or is still to come."""
        value = self.value
        return value is None or math.isfinite(value)

    def best_of_last(self, count: int, until: int) -> float | None:
        """Return the best value of the last steps up to `until`, an infinite one too; None: all are NaN."""
        end = bisect_right(self._steps, until)
        values = (self._values[step] for step in self._steps[max(0, end - count) : end])
        return self._better((value for value in values if not math.isnan(value)), default=None)

    def add(self, values: Mapping[int, float]) -> None:
        """Take the values of steps that have none."""
        for step, value in values.items():
            self._values[step] = value
            insort(self._steps, step)
            self._take_value(value)

    def remove(self, steps: Iterable[int]) -> None:
        """Forget steps; this looks at all that are left, and is rare: a newer attempt replaces an older one's steps."""
        gone = frozenset(steps)
        kept = {step: value for step, value in self._values.items() if step not in gone}
        self._restart()
        self.add(kept)

    def _restart(self) -> None:
        self._values: dict[int, float] = {}
        self._steps: list[int] = []
        """Ascending."""
        self._best: float | None = None
        self._best_finite: float | None = None
        self._sum = Fraction()
        """Of the finite values, where their mean counts; exact, for a rounded one would depend on the order."""
        self._not_finite: Counter[str] = Counter()

    def _take_value(self, value: float) -> None:
        if not math.isnan(value):
            self._best = value if self._best is None else self._better(self._best, value)
        if math.isfinite(value):
            self._best_finite = value if self._best_finite is None else self._better(self._best_finite, value)
            if self._reduce is Reduce.MEAN:
                self._sum += Fraction(value)
        else:
            self._not_finite[str(value)] += 1

    def _mean(self) -> float:
        if len(self._not_finite) > 1:  # NaN, or opposite infinities
            return math.nan
        if self._not_finite:
            return float(next(iter(self._not_finite)))
        try:
            return float(self._sum) / len(self._values)
        except OverflowError:
            return math.nan
