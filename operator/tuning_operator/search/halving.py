"""Successive halving and Hyperband, as Optuna's pruners decide them, but once and in constant time.

Optuna notes a trial's rung before it decides, so that a second question gets another answer, and looks at all trials
each time. Here a rung and what followed from it are stored together.
"""

from __future__ import annotations

import binascii
import math
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice

from optuna.study import StudyDirection

from tuning_contract.reports import MAX_STEP
from tuning_operator.api.pruners import HyperbandOptions, SuccessiveHalvingOptions
from tuning_operator.search.curve import Standing
from tuning_operator.search.verdicts import Judged, TrialPruner, Verdict


class SuccessiveHalvingRule(TrialPruner):
    """Lets the best of each rung go on to the next, one in `reductionFactor` of those that have come to it so far.

    The rungs lie at the steps minResource * reductionFactor ** (minEarlyStoppingRate + i). The asynchronous form of Li
    et al. (A System for Massively Parallel Hyperparameter Tuning, 2020) without pausing: who is not promoted is pruned.
    """

    def __init__(self, options: SuccessiveHalvingOptions, direction: StudyDirection, end: int = MAX_STEP + 1) -> None:
        """`end` is the step from which on there are no rungs."""
        self._options = options
        self._maximize = direction is StudyDirection.MAXIMIZE
        self._end = end
        self._by_rung: dict[int, list[float]] = defaultdict(list)
        """The values of all trials that came to a rung, ascending, by its step."""

    def add_rungs(self, number: int, rungs: Mapping[int, float]) -> None:
        for step, value in rungs.items():
            insort(self._by_rung[step], value)

    def remove_rungs(self, number: int, rungs: Mapping[int, float]) -> None:
        for step, value in rungs.items():
            values = self._by_rung[step]
            del values[bisect_left(values, value)]

    def judge(self, trial: Judged, standing: Standing) -> Verdict:
        reached: dict[int, float] = {}
        for step in _rungs(self._options, min(standing.step + 1, self._end)):
            if step in trial.rungs:
                continue
            if math.isnan(standing.value):
                return Verdict(True, reached)
            reached[step] = standing.value
            if not self._is_promoted(step, standing.value):
                return Verdict(True, reached)
        return Verdict(False, reached)

    def _is_promoted(self, step: int, value: float) -> bool:
        others = self._by_rung[step]
        count = len(others) + 1
        if count <= self._options.bootstrap_count:
            return False
        better = len(others) - bisect_right(others, value) if self._maximize else bisect_left(others, value)
        return better < max(1, count // self._options.reduction_factor)


class HyperbandRule(TrialPruner):
    """Several successive halvings side by side; each trial belongs to one of them, its bracket.

    Bracket i leaves out the first i rungs. How many trials each gets follows Li et al. (Hyperband, 2018, Algorithm 1),
    and which, from the study's seed and the trial's number.
    """

    def __init__(self, options: HyperbandOptions, direction: StudyDirection, seed: int) -> None:
        self._seed = seed
        count = bracket_count(options)
        self._shares = [math.ceil(count * options.reduction_factor**s / (s + 1)) for s in reversed(range(count))]
        self._brackets = [
            SuccessiveHalvingRule(
                SuccessiveHalvingOptions(
                    min_resource=options.min_resource,
                    reduction_factor=options.reduction_factor,
                    min_early_stopping_rate=left_out,
                    bootstrap_count=options.bootstrap_count,
                ),
                direction,
                end=options.max_resource,
            )
            for left_out in range(count)
        ]

    def add_rungs(self, number: int, rungs: Mapping[int, float]) -> None:
        self._bracket(number).add_rungs(number, rungs)

    def remove_rungs(self, number: int, rungs: Mapping[int, float]) -> None:
        self._bracket(number).remove_rungs(number, rungs)

    def judge(self, trial: Judged, standing: Standing) -> Verdict:
        return self._bracket(trial.number).judge(trial, standing)

    def _bracket(self, number: int) -> SuccessiveHalvingRule:
        # As Optuna does it, with the seed in the place of the study's name.
        ticket = binascii.crc32(f"{self._seed}_{number}".encode()) % sum(self._shares)
        for share, bracket in zip(self._shares, self._brackets, strict=True):
            ticket -= share
            if ticket < 0:
                return bracket
        raise AssertionError("a ticket is below the sum of all shares")


def first_rungs(options: SuccessiveHalvingOptions, count: int) -> list[int]:
    """Return the first so many steps at which trials are compared, fewer where there are no more."""
    return [*islice(_rungs(options, MAX_STEP + 1), count)]


def _rungs(options: SuccessiveHalvingOptions, end: int) -> Iterator[int]:
    """Return the steps of the rungs before an end."""
    rung = options.min_resource * options.reduction_factor**options.min_early_stopping_rate
    while rung < end:
        yield rung
        rung *= options.reduction_factor


def rung_steps(options: HyperbandOptions) -> list[list[int]]:
    """Return at which steps each bracket compares its trials."""
    count = bracket_count(options)
    steps = [options.min_resource * options.reduction_factor**rung for rung in range(count)]
    return [[step for step in steps[left_out:] if step < options.max_resource] for left_out in range(count)]


def bracket_count(options: HyperbandOptions) -> int:
    """Return how often `reductionFactor` goes into maxResource / minResource, plus one; exact, unlike a logarithm."""
    count, resource = 1, options.min_resource * options.reduction_factor
    while resource <= options.max_resource:
        count += 1
        resource *= options.reduction_factor
    return count
