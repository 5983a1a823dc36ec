"""A trial's objective by step, and what follows from it, without another look at the steps before."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from tuning_operator.api.study import Direction, Objective, Reduce


class Standing(NamedTuple):
    """What a pruner looks at: how a trial stood after a step."""

    step: int
    """The largest step so far."""
    step_before: int | None
    """The largest step but one."""
    best: float | None
    """The best value so far, an infinite one too; None: all are NaN."""


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

    def values(self) -> dict[int, float]:
        """Return a copy of the values by step."""
        return dict(self._values)

    @property
    def standing(self) -> Standing | None:
        """How the trial stands; None: there are no values."""
        return None if self._last is None else Standing(self._last, self._before_last, self._best)

    @property
    def value(self) -> float | None:
        """The trial's value, as `decisions.trial_value.reduce_values` defines it; None: there are no values."""
        if self._last is None:
            return None
        match self._reduce:
            case Reduce.LAST:
                return self._values[self._last]
            case Reduce.MEAN:
                return self._mean()
            case Reduce.BEST:
                return self._values[self._last] if self._best_finite is None else self._best_finite

    @property
    def is_finite(self) -> bool:
        """Whether the trial's value is, or is still to come."""
        value = self.value
        return value is None or math.isfinite(value)

    def add(self, values: Mapping[int, float]) -> None:
        """Take the values of steps that have none."""
        for step, value in values.items():
            self._values[step] = value
            self._take_step(step)
            self._take_value(value)

    def remove(self, steps: Iterable[int]) -> None:
        """Forget steps; this looks at all that are left, and is rare: a newer attempt replaces an older one's steps."""
        gone = frozenset(steps)
        kept = {step: value for step, value in self._values.items() if step not in gone}
        self._restart()
        self.add(kept)

    def _restart(self) -> None:
        self._values: dict[int, float] = {}
        self._last: int | None = None
        self._before_last: int | None = None
        self._best: float | None = None
        self._best_finite: float | None = None
        self._sum = Fraction()
        """Of the finite values, where their mean counts; exact, for a rounded one would depend on the order."""
        self._not_finite: Counter[str] = Counter()

    def _take_step(self, step: int) -> None:
        if self._last is None or step > self._last:
            self._before_last, self._last = self._last, step
        elif self._before_last is None or step > self._before_last:
            self._before_last = step

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
