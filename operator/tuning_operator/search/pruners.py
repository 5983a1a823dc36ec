"""Pruners: adding one is an option model in `api/search.py` and an entry here.

Optuna's own pruners look at all trials at each decision, which the event loop can't afford, and some decide otherwise
when they are asked twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.search import MedianOptions, Pruner, PrunerName
from tuning_operator.search.curve import Standing
from tuning_operator.search.median import MedianRule


class TrialPruner(Protocol):
    """Decides whether trials are worth going on; called on the event loop, so that it must be quick."""

    def add_complete(self, trial: FrozenTrial) -> None:
        """Take a complete trial, once."""

    def should_prune(self, standing: Standing) -> bool:
        """Return whether to prune a running trial at its largest step."""


def make_pruner(spec: Pruner, direction: StudyDirection) -> TrialPruner | None:
    """Return the pruner of a study, which knows no trial yet; None: nothing is pruned."""
    return PRUNERS[spec.name](spec.parsed_options(), direction)


def _none(_options: ResourceModel, _direction: StudyDirection) -> None:
    return None


def _median(options: ResourceModel, direction: StudyDirection) -> TrialPruner:
    assert isinstance(options, MedianOptions)
    return MedianRule(options, direction)


PRUNERS: dict[PrunerName, Callable[[ResourceModel, StudyDirection], TrialPruner | None]] = {
    PrunerName.NONE: _none,
    PrunerName.MEDIAN: _median,
}
