"""How far others' results are beyond a study's bounds of metrics, as far as their source knows it."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence

from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.decisions.feasibility import excesses
from tuning_operator.search.warm_sources import Result, finite

_LARGEST = sys.float_info.max


class Bounds:
    """Of a study; counts what is not known of a source's results."""

    def __init__(self, objectives: Sequence[str], constraints: Sequence[MetricConstraint]) -> None:
        self._objectives = objectives
        self._constraints = constraints
        self._unknown: Counter[str] = Counter()

    def excesses(self, result: Result, values: Sequence[float]) -> list[float]:
        """Return how far a result is beyond each bound; `values` are of the study's objectives.

        A metric that is not finite breaks its bounds. Of one that is not known counts what the result's own study says
        of it in Optuna's constraints. Without that it lies on its bound, which it keeps, and a model of the metric
        learns that it may as well be beyond it.
        """
        measured = {**result.metrics, **dict(zip(self._objectives, values, strict=True))}
        found = excesses({name: value for name, value in measured.items() if finite([value])}, self._constraints)
        for constraint in self._constraints:
            if constraint.metric not in measured:
                found |= self._said(result, constraint)
        return [min(max(excess, -_LARGEST), _LARGEST) for excess in found.values()]

    def _said(self, result: Result, constraint: MetricConstraint) -> dict[str, float]:
        """Return what a result's own constraints say of a metric: that of the bound's name, or, where they have no
        names, the worst of them."""
        said, broken = result.excesses, excesses({}, [constraint])
        numbered = [excess for name, excess in said.items() if name.isdigit()]
        if not numbered and not said.keys() & broken.keys():
            self._unknown[constraint.metric] += 1
        worst = math.inf if any(map(math.isnan, numbered)) else max([0.0, *numbered])
        of_bounds = {bound: said.get(bound, worst) for bound in broken}
        return {bound: excess if finite([excess]) else broken[bound] for bound, excess in of_bounds.items()}

    def report(self) -> str:
        """Return what was not known, as the end of a sentence."""
        parts = [f"`{metric}` in {count}" for metric, count in self._unknown.items()]
        return f" (not known, and taken to lie on its bound: {', '.join(parts)})" if parts else ""
