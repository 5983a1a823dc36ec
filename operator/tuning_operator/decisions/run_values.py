"""What several values together are: those of a trial's steps, and those of its runs."""

from __future__ import annotations

import math
from collections.abc import Collection
from statistics import fmean, pstdev


def mean_of(values: Collection[float]) -> float:
    """Return the mean of some values, of which there is at least one; NaN where it is beyond a float."""
    try:
        return fmean(values)
    except (OverflowError, ValueError):  # the sum is beyond a float, or adds opposite infinities
        return math.nan


def spread_of(values: Collection[float]) -> float | None:
    """Return the standard deviation of a trial's runs, the square root of the mean squared distance from their mean.

    That is scikit-learn's `std_test_score`. None: there are less than two values, or it is beyond a float.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    try:
        spread = pstdev(values)
    except OverflowError:
        return None
    return spread if math.isfinite(spread) else None
