"""Results by what they have in common: of each method on each function, one result a seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from benchmarks.search.cells import LIBRARY, PRODUCT, WITHOUT_PRUNER, Cell, Result
from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.methods import PRUNERS, SAMPLERS
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

    def both(self, sampler: str, function: str, parallelism: int, pruner: str = WITHOUT_PRUNER) -> list[Result]:
        """Return the results of this project and of Optuna: what a method is worth is the same question for both."""
        sides = (self.of(side, sampler, function, parallelism, pruner) for side in (PRODUCT, LIBRARY))
        return [result for results in sides for result in results.values()]

    def saved(self, sampler: str, function: str, parallelism: int, pruner: str) -> list[float]:
        """Return the shares of the GPU time of whole trials that a pruner saved, seed by seed, of both."""
        shares = []
        for side in (PRODUCT, LIBRARY):
            whole = self.of(side, sampler, function, parallelism, PRUNERS[pruner].without)
            pruned = self.of(side, sampler, function, parallelism, pruner)
            shares += [1 - pruned[seed].gpu_seconds / whole[seed].gpu_seconds for seed in set(pruned) & set(whole)]
        return shares

    def beside_whole_trials(
        self, sampler: str, alone: str, function: str, parallelism: int, pruner: str
    ) -> list[tuple[float, float]]:
        """Return how far the best trial is above the minimum with a pruner, and with a sampler alone after as many
        whole trials as its GPU time pays for, seed by seed, of both sides."""
        pairs = []
        for side in (PRODUCT, LIBRARY):
            whole = self.of(side, alone, function, parallelism, PRUNERS[pruner].without)
            for seed, result in self.of(side, sampler, function, parallelism, pruner).items():
                if seed in whole:
                    pairs.append((result.regret, regret_for(whole[seed], result.gpu_seconds)))
        return pairs

    def hours_to_target(self, sampler: str, parallelism: int, pruner: str) -> list[tuple[float, float]]:
        """Return after how many simulated hours this project's studies were good enough, and Optuna's of the same
        function and seed; infinite: never."""
        pairs = []
        for function in FUNCTIONS.values():
            sides = [self.of(side, sampler, function.name, parallelism, pruner) for side in (PRODUCT, LIBRARY)]
            for seed in set(sides[0]) & set(sides[1]):
                ours, theirs = (hours_to(results[seed], function.target) for results in sides)
                pairs.append((ours, theirs))
        return pairs

    def samplers(self) -> list[str]:
        """Return the samplers with results, without a pruner."""
        found = {cell.sampler for cell in self._seeds if cell.pruner == WITHOUT_PRUNER}
        return [sampler for sampler in SAMPLERS if sampler in found]

    def comparisons(
        self, sampler: str, parallelism: int, side: str = LIBRARY, pruner: str = WITHOUT_PRUNER
    ) -> dict[str, Comparison]:
        """Compare a method with another side, by function; seeds that one of them lacks are left out."""
        found = {}
        for function in FUNCTIONS:
            product = self.of(PRODUCT, sampler, function, parallelism, pruner)
            other = self.of(side, sampler, function, parallelism, pruner)
            random = self._random_search(
                function, WITHOUT_PRUNER if pruner == WITHOUT_PRUNER else PRUNERS[pruner].without
            )
            seeds = sorted(set(product) & set(other))
            if len(seeds) >= 2 and random:
                evaluations = product[seeds[0]].cell.evaluations
                found[function] = compare(
                    [regret_after(product[seed], evaluations) for seed in seeds],
                    [regret_after(other[seed], evaluations) for seed in seeds],
                    [regret_after(result, evaluations) for result in random.values()],
                )
        return found

    def _random_search(self, function: str, pruner: str) -> dict[int, Result]:
        """Return Optuna's random search: what it tries does not depend on how many trials run at a time."""
        at_any = [self.of(LIBRARY, RANDOM, function, parallelism, pruner) for parallelism in (1, 8, 64)]
        return {seed: result for results in at_any for seed, result in results.items()}


def trials_to(result: Result, target: float) -> float:
    """Return after how many trials the best was so near to the minimum; infinite: never."""
    reached = result.reached(target)
    return math.inf if reached is None else reached[0]


def hours_to(result: Result, target: float) -> float:
    """Return after how many simulated hours the best trial was so near to the minimum; infinite: never."""
    reached = result.reached(target)
    return math.inf if reached is None else reached[1] / 3600


def regret_after(result: Result, evaluations: int) -> float:
    """Return how far the best of the first so many trials that ended is above the minimum; infinite: none had."""
    known = [regret for ended, _, regret in result.improvements if ended <= evaluations]
    return known[-1] if known else float("inf")


def regret_for(result: Result, gpu_seconds: float) -> float:
    """Return how far the best is above the minimum of as many of the first trials as so much GPU time pays for, in
    trials of mean length; infinite: it pays for none."""
    return regret_after(result, round(result.cell.evaluations * gpu_seconds / result.gpu_seconds))


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper one; infinite values are the largest.

    The quartiles are the medians of the lower and the upper half, both with the middle value of an odd number (Tukey's
    hinges): unlike an interpolation they know what to do with infinity.
    """
    ordered = sorted(values)
    half = (len(ordered) + 1) // 2
    return median(ordered[:half]), median(ordered), median(ordered[-half:])
