"""The Wilcoxon rule, as Optuna's `WilcoxonPruner` decides it: a trial's runs against the same runs of the best trial.

A run counts once it is complete. Optuna loads SciPy's statistics for each decision, which takes the event loop a second
at the first one; the test is short enough to be done here, and exact for any number of runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from tuning_operator.api.pruners import WilcoxonOptions
from tuning_operator.search.attributes import run_values
from tuning_operator.search.curve import Standing
from tuning_operator.search.feasibility import keeps_bounds
from tuning_operator.search.verdicts import GO_ON, PRUNE, Judged, TrialPruner, Verdict


class WilcoxonRule(TrialPruner):
    """Prunes a trial when its runs so far are worse than the best trial's by more than chance explains."""

    def __init__(self, options: WilcoxonOptions, direction: StudyDirection) -> None:
        self._options = options
        self._worse = -1.0 if direction is StudyDirection.MAXIMIZE else 1.0
        self._best: tuple[float, int] | None = None
        """How bad the best complete trial that keeps all bounds of metrics is, and its number."""
        self._runs: Mapping[int, float] = {}
        """The values of its runs."""

    def add_complete(self, trial: FrozenTrial) -> None:
        if not keeps_bounds(trial):
            return
        candidate = (self._worse * trial.value if trial.value is not None else math.inf, trial.number)
        if self._best is None or candidate < self._best:
            self._best, self._runs = candidate, run_values(trial.user_attrs)

    def judge(self, trial: Judged, standing: Standing) -> Verdict:
        return GO_ON

    def judge_runs(self, values: Mapping[int, float]) -> Verdict:
        best = self._runs
        if not values or not best or not all(map(math.isfinite, values.values())):
            return GO_ON
        differences = [self._worse * (values[run] - best[run]) for run in sorted(values) if run in best]
        if len(differences) < max(2, self._options.n_startup_steps):
            return GO_ON
        if p_value(differences) >= self._options.p_threshold:
            return GO_ON
        # Worse run by run, but no worse on the average: for safety it goes on.
        is_best = self._worse * _mean(values) <= self._worse * _mean(best)
        return GO_ON if is_best else PRUNE


def p_value(differences: Sequence[float]) -> float:
    """Return how probable it is that so many differences are at least as positive as these by chance alone.

    Wilcoxon's signed-rank test (1945), one-sided: under its hypothesis each rank counts or not with equal probability.
    Ties share their mean rank, and zeros count half.
    """
    ranks = _doubled_ranks(differences)
    zeros = sum(rank for rank, difference in zip(ranks, differences, strict=True) if difference == 0)
    positive = 2 * sum(rank for rank, difference in zip(ranks, differences, strict=True) if difference > 0) + zeros
    # The probability of each sum, doubled once more so that half of a rank is whole; exact, for it is halved only.
    chances = np.zeros(2 * sum(ranks) + 1)
    chances[zeros] = 1.0
    for rank, difference in zip(ranks, differences, strict=True):
        if difference != 0:
            with_rank = np.zeros_like(chances)
            with_rank[2 * rank :] = chances[: -2 * rank]
            chances = (chances + with_rank) / 2
    return float(chances[positive:].sum())


def _doubled_ranks(differences: Sequence[float]) -> list[int]:
    """Return twice the rank of each difference's size, counted from 1; equal ones share the mean of theirs."""
    order = sorted(range(len(differences)), key=lambda index: abs(differences[index]))
    ranks, before = [0] * len(differences), 0
    for _, group in groupby(order, key=lambda index: abs(differences[index])):
        tied = list(group)
        for index in tied:
            ranks[index] = 2 * before + 1 + len(tied)
        before += len(tied)
    return ranks


def _mean(values: Mapping[int, float]) -> float:
    return sum(values[run] for run in sorted(values)) / len(values)
