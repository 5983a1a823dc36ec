"""The threshold rule, as Optuna's `ThresholdPruner` decides it."""

from __future__ import annotations

import math

from tuning_operator.api.pruners import ThresholdOptions
from tuning_operator.search.curve import Standing
from tuning_operator.search.verdicts import GO_ON, PRUNE, Judged, TrialPruner, Verdict


class ThresholdRule(TrialPruner):
    """Prunes a trial whose newest value lies outside of the bounds, or is NaN."""

    def __init__(self, options: ThresholdOptions) -> None:
        self._options = options
        self._lower = -math.inf if options.lower is None else options.lower
        self._upper = math.inf if options.upper is None else options.upper

    def judge(self, trial: Judged, standing: Standing) -> Verdict:
        if not standing.is_first_in_interval(self._options.n_warmup_steps, self._options.interval_steps):
            return GO_ON
        return GO_ON if self._lower <= standing.value <= self._upper else PRUNE
