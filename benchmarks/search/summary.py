"""Results by what they have in common: of each method on each function, one result a seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.search.cells import LIBRARY, PRODUCT, WITHOUT_PRUNER, Cell, Result
from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.methods import SAMPLERS
from benchmarks.search.no_worse import Comparison, compare

RANDOM = "Random"


class Summary:
    """What was computed; anything may be missing."""

    def __init__(self, results: Mapping[Cell, Result]) -> None:
        self._seeds: dict[Cell, dict[int, Result]] = defaultdict(dict)
        for cell, result in results.items():
            self._seeds[replace(cell, seed=0)][cell.seed] = result

    def of(
        self, side: str, sampler: str, function: str, parallelism: int, pruner: str = WITHOUT_PRUNER
    ) -> dict[int, Result]:
        """Return results by seed."""
        return self._seeds.get(Cell(side, sampler, pruner, function, parallelism, 0), {})

    def samplers(self) -> list[str]:
        """Return the samplers with results of this project, without a pruner."""
        found = {cell.sampler for cell in self._seeds if (cell.side, cell.pruner) == (PRODUCT, WITHOUT_PRUNER)}
        return [sampler for sampler in SAMPLERS if sampler in found]

    def comparisons(self, sampler: str, parallelism: int, side: str = LIBRARY) -> dict[str, Comparison]:
        """Compare a sampler with another side, by function; seeds that one of them lacks are left out."""
        found = {}
        for function in FUNCTIONS:
            sides = [
                self.of(PRODUCT, sampler, function, parallelism),
                self.of(side, sampler, function, parallelism),
                self.of(LIBRARY, RANDOM, function, parallelism),
            ]
            seeds = sorted(set(sides[0]) & set(sides[1]))
            if len(seeds) < 2 or not sides[2]:
                continue
            evaluations = SAMPLERS[sampler].evaluations
            product, other = ([regret_after(each[seed], evaluations) for seed in seeds] for each in sides[:2])
            found[function] = compare(product, other, [regret_after(each, evaluations) for each in sides[2].values()])
        return found


def regret_after(result: Result, evaluations: int) -> float:
    """Return how far the best of the first so many trials that ended is above the minimum; infinite: none had."""
    known = [regret for ended, _, regret in result.improvements if ended <= evaluations]
    return known[-1] if known else float("inf")


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper one; infinite values are the largest."""
    lower, middle, upper = np.quantile(np.asarray(values, dtype=float), [0.25, 0.5, 0.75], method="closest_observation")
    return float(lower), float(middle), float(upper)
