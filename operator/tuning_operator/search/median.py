"""The median rule, as Optuna's `MedianPruner` decides it, in constant time instead of a look at all trials."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from tuning_operator.api.search import MedianOptions
from tuning_operator.search.curve import Standing


class MedianRule:
    """Prunes a trial whose best value so far is worse than the median of complete trials' values at its step.

    Keeps the values of each step in a list that is sorted when it is needed; of 10,000 trials, Optuna's takes
    milliseconds for each decision, which the event loop can't afford.
    """

    def __init__(self, options: MedianOptions, direction: StudyDirection) -> None:
        self._options = options
        self._maximize = direction is StudyDirection.MAXIMIZE
        self._complete = 0
        self._by_step: dict[int, _Values] = defaultdict(_Values)

    def add_complete(self, trial: FrozenTrial) -> None:
        """Take a complete trial, once."""
        self._complete += 1
        for step, value in trial.intermediate_values.items():
            self._by_step[step].add(value)

    def should_prune(self, standing: Standing) -> bool:
        """Return whether to prune a running trial at the step after which it stood so."""
        options, step, best = self._options, standing.step, standing.best
        if self._complete < max(1, options.n_startup_trials) or step < options.n_warmup_steps:
            return False
        if not self._is_first_in_interval(step, standing.step_before):
            return False
        if best is None:
            return True
        if step not in self._by_step or self._by_step[step].count < options.n_min_trials:
            return False
        median = self._by_step[step].median()
        # Of NaN, every comparison is false.
        return best < median if self._maximize else best > median

    def _is_first_in_interval(self, step: int, step_before: int | None) -> bool:
        """Whether no earlier step lies in the interval of `step`; intervals begin after the warm-up."""
        warmup, interval = self._options.n_warmup_steps, self._options.interval_steps
        begin = (step - warmup) // interval * interval + warmup
        return step_before is None or step_before < begin


class _Values:
    """The values of one step."""

    def __init__(self) -> None:
        self.count = 0
        self._numbers: list[float] = []
        self._is_sorted = True

    def add(self, value: float) -> None:
        self.count += 1
        if not math.isnan(value):
            self._numbers.append(value)
            self._is_sorted = False

    def median(self) -> float:
        """Return the median without NaN; NaN: there is none."""
        if not self._is_sorted:
            self._numbers.sort()  # nearly sorted already: linear time
            self._is_sorted = True
        return _median(self._numbers)


def _median(ascending: Sequence[float]) -> float:
    if not ascending:
        return math.nan
    # The formula of numpy, which Optuna uses: other ones differ in the last bit or beside infinities, and then in the
    # decision.
    middle, last = len(ascending) // 2, len(ascending) - 1
    if len(ascending) % 2:
        low, high = ascending[middle], ascending[min(middle + 1, last)]
        return low + (high - low) * 0.0  # NaN beside an infinity
    low, high = ascending[middle - 1], ascending[middle]
    return high - (high - low) * 0.5
