"""A trial's value from its reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean

from tuning_operator.api.study import Direction, Reduce


def reduce_values(values: Mapping[int, float], how: Reduce, direction: Direction) -> float | None:
    """Return the objective of a trial from its values by step; None: there are none.

    The last value is that of the largest step. The best one is finite as long as any is, for a training that diverged
    late was good before; the mean of anything that is not finite is not finite.
    """
    if not values:
        return None
    match how:
        case Reduce.LAST:
            return values[max(values)]
        case Reduce.MEAN:
            return _mean(list(values.values()))
        case Reduce.BEST:
            finite = [value for value in values.values() if math.isfinite(value)]
            if not finite:
                return values[max(values)]
            return max(finite) if direction is Direction.MAXIMIZE else min(finite)


def _mean(values: list[float]) -> float:
    try:
        return fmean(values)
    except (OverflowError, ValueError):  # the sum is beyond a float, or adds opposite infinities
        return math.nan
