"""Whether the product's results are no worse than the library's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

import numpy as np
from scipy.stats import wilcoxon

MARGIN = 0.05
"""Of the gap between the library and random search: what may be lost and still be called no worse."""
LEVEL = 0.05
"""Of error, for all functions together."""


class Verdict(Enum):
    """What the tests say of one function."""

    SAME = "same"
    """Seed by seed the same result."""
    NO_WORSE = "no worse"
    """Worse by less than the margin, or better: shown at the level."""
    UNDECIDED = "undecided"
    """Neither is shown: the seeds differ more from each other than the margin is wide."""
    WORSE = "worse"
    """Worse by more than the margin: shown at the level."""


@dataclass(frozen=True)
class Comparison:
    """One function's results, before the others are looked at."""

    differences: Sequence[float]
    """Product - library, of each seed."""
    margin: float
    p_no_worse: float
    """How likely results like these are, if the product were worse by the margin."""
    p_worse: float
    """How likely results like these are, if the product were worse by no more than the margin."""
    same: bool


def compare(product: Sequence[float], library: Sequence[float], random: Sequence[float]) -> Comparison:
    """Compare regrets that are paired by their seeds; `random` are those of random search with the same seeds.

    One-sided Wilcoxon signed-rank tests of product - library against the margin, which is 0 where the library is no
    better than random search.
    """
    margin = MARGIN * max(0.0, median(random) - median(library))
    differences = np.asarray(product, dtype=float) - np.asarray(library, dtype=float)
    same = not differences.any()
    p_values = _p_below_zero(differences - margin), _p_below_zero(margin - differences)
    return Comparison(differences.tolist(), margin, *p_values, same)


def together(comparisons: Iterable[Comparison]) -> tuple[Verdict, float]:
    """Return what all functions say together, and the p-value of being no worse: far more pairs than each one has.

    Each difference counts in gaps between the library and random search; functions without such a gap say nothing.
    """
    told = [each for each in comparisons if each.margin > 0]
    differences = np.concatenate([[], *(np.asarray(each.differences) * MARGIN / each.margin for each in told)])
    p_no_worse = _p_below_zero(differences - MARGIN)
    if told and all(each.same for each in told):
        return Verdict.SAME, p_no_worse
    if p_no_worse < LEVEL:
        return Verdict.NO_WORSE, p_no_worse
    return Verdict.WORSE if _p_below_zero(MARGIN - differences) < LEVEL else Verdict.UNDECIDED, p_no_worse


def _p_below_zero(differences: np.ndarray) -> float:
    """Return the p-value of the alternative that the differences are below 0."""
    if not differences.any():
        return 1.0
    # Exact for up to 50 pairs without ties, for which SciPy has the normal approximation alone.
    return float(wilcoxon(differences, alternative="less", zero_method="zsplit", method="auto").pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values as Holm corrects them for their number (Scandinavian Journal of Statistics 6, 1979)."""
    corrected, largest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - rank)))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def verdicts(comparisons: Mapping[str, Comparison]) -> dict[str, Verdict]:
    """Return the verdict on each function, corrected for their number."""
    no_worse = holm({name: each.p_no_worse for name, each in comparisons.items()})
    worse = holm({name: each.p_worse for name, each in comparisons.items()})
    found = {}
    for name, comparison in comparisons.items():
        if comparison.same:
            found[name] = Verdict.SAME
        elif no_worse[name] < LEVEL:
            found[name] = Verdict.NO_WORSE
        else:
            found[name] = Verdict.WORSE if worse[name] < LEVEL else Verdict.UNDECIDED
    return found
