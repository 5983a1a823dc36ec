"""Samplers: adding one is an option model in `api/search.py` and an entry here.

A sampler must draw its random numbers from Optuna's `LazyRandomState`, else `seeds.reseed` does not reach it, and must
keep no other state than the storage's. It may not read the intermediate values of running trials: the mirror gets them
when a trial is told, so that a report costs the same however many came before. One that needs `after_trial` would need
a call of it where trials are told.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.search import Sampler, SamplerName, TPEOptions


def make_sampler(spec: Sampler) -> BaseSampler:
    """Return Optuna's sampler of a study."""
    return SAMPLERS[spec.name](spec.parsed_options())


def _random(_options: ResourceModel) -> BaseSampler:
    return RandomSampler()


def _tpe(options: ResourceModel) -> BaseSampler:
    assert isinstance(options, TPEOptions)
    with warnings.catch_warnings(action="ignore"):  # `group` is experimental in Optuna, which its users know
        return TPESampler(
            n_startup_trials=options.n_startup_trials,
            n_ei_candidates=options.n_ei_candidates,
            multivariate=options.multivariate,
            group=options.group,
            constant_liar=options.constant_liar,
        )


SAMPLERS: dict[SamplerName, Callable[[ResourceModel], BaseSampler]] = {
    SamplerName.RANDOM: _random,
    SamplerName.GRID: _random,  # grid.py fixes every parameter; what an enqueued trial leaves out is random
    SamplerName.TPE: _tpe,
}
