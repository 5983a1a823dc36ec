"""Pruners: adding one is an option model in `api/search.py` and an entry here."""

from __future__ import annotations

from collections.abc import Callable

from optuna.pruners import BasePruner, MedianPruner

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.search import MedianOptions, Pruner, PrunerName


def make_pruner(spec: Pruner) -> BasePruner | None:
    """Return Optuna's pruner of a study; None: nothing is pruned."""
    return PRUNERS[spec.name](spec.parsed_options())


def _none(_options: ResourceModel) -> None:
    return None


def _median(options: ResourceModel) -> BasePruner:
    assert isinstance(options, MedianOptions)
    return MedianPruner(
        n_startup_trials=options.n_startup_trials,
        n_warmup_steps=options.n_warmup_steps,
        interval_steps=options.interval_steps,
        n_min_trials=options.n_min_trials,
    )


PRUNERS: dict[PrunerName, Callable[[ResourceModel], BasePruner | None]] = {
    PrunerName.NONE: _none,
    PrunerName.MEDIAN: _median,
}
