"""Which of a study's trials are better than others: every strategy compares them here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from tuning_operator.search.strategies.strategy import PastTrial

Rank = tuple[bool, float, float, int]
"""The smaller, the better; no two trials have the same."""


def rank_of(trial: PastTrial, fitness: float | None) -> Rank:
    """Return what a trial is compared by; the larger its fitness, the better.

    One that keeps the bounds of all metrics is before any that does not, and of those one that is less beyond them;
    then the fitter one, and of equally fit ones the earlier. One without a finite fitness is a loser: it comes last.
    """
    if fitness is None or not math.isfinite(fitness):
        return True, 0.0, 0.0, trial.number
    return False, trial.violation, -fitness, trial.number


def score_of(trial: PastTrial) -> float | None:
    """Return how fit a trial is whose value says it."""
    return trial.score


def ranked(trials: Iterable[PastTrial], fitness: Callable[[PastTrial], float | None] = score_of) -> list[PastTrial]:
    """Return trials from the best on, without the losers."""
    ranks = sorted((rank_of(trial, fitness(trial)), trial) for trial in trials)
    return [trial for (is_loser, *_), trial in ranks if not is_loser]
