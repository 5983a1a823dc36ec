"""Samplers: adding one is an option model in `api/samplers.py` and an entry here.

A sampler must draw its random numbers from Optuna's `LazyRandomState`, else `seeds.reseed` does not reach it, and must
keep no other state than the storage's: the same trials must lead to the same suggestion in a new process. It may not
read the intermediate values of running trials: the mirror gets them when a trial is told, so that a report costs the
same however many came before. What it writes about the study goes to the database with the trials of the same ask. One
that needs `after_trial` would need a call of it where trials are told.

Samplers whose points do not depend on results need none of that: see `walk.py`, and `NumberedQMC`.
"""

from __future__ import annotations

import copy
import importlib.util
import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import (
    BaseSampler,
    QMCSampler,
    RandomSampler,
)
from optuna.trial import FrozenTrial

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.samplers import (
    STRATEGIES,
    CMAESOptions,
    GPOptions,
    QMCOptions,
    Sampler,
    SamplerName,
    TPEOptions,
)
from tuning_operator.errors import InvalidStudy
from tuning_operator.search.feasibility import keeps_bounds
from tuning_operator.search.gaussian_process import BoundedGPSampler
from tuning_operator.search.genetic import nsga_ii, nsga_iii
from tuning_operator.search.tpe import TabularTPESampler


@dataclass(frozen=True)
class Circumstances:
    """What of a study a sampler may need to know."""

    seed: int
    """For what is the same in all trials."""
    parallelism: int
    distributions: Mapping[str, BaseDistribution]
    unconditional: Collection[str]
    """The parameters that every trial has."""
    objectives: int = 1
    """How many there are."""
    warm: Sequence[FrozenTrial] = ()
    """Results of others, as samplers see them."""
    may_have: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a trial may have some parameters, by the study's constraints; None: there are none."""


def make_sampler(spec: Sampler, circumstances: Circumstances) -> BaseSampler:
    """Return Optuna's sampler of a study.

    Raises
    ------
    InvalidStudy
        It needs a library that is not installed.
    """
    require_library(spec)
    with warnings.catch_warnings(action="ignore"):  # much is experimental in Optuna, which its users know
        return SAMPLERS[spec.name](spec.parsed_options(), circumstances)


def require_library(spec: Sampler) -> None:
    """Raise `InvalidStudy` if a sampler needs a library that is not installed; loads none."""
    if spec.name is SamplerName.GP and importlib.util.find_spec("torch") is None:
        raise InvalidStudy(
            [
                "`search.sampler`: GP needs PyTorch, which this installation lacks; install the operator with its "
                "extra `gp` (see docs/search.md), or take another sampler"
            ],
            reason="SamplerNotInstalled",
        )


def _random(_options: ResourceModel, _circumstances: Circumstances) -> BaseSampler:
    return RandomSampler()


def _tpe(options: ResourceModel, circumstances: Circumstances) -> BaseSampler:
    assert isinstance(options, TPEOptions)
    jointly = options.multivariate
    return TabularTPESampler(
        n_startup_trials=options.n_startup_trials,
        n_ei_candidates=options.n_ei_candidates,
        multivariate=options.group or circumstances.objectives == 1 if jointly is None else jointly,
        group=options.group,
        constant_liar=options.constant_liar,
        may_have=circumstances.may_have,
    )


class NumberedQMC(QMCSampler):
    """Gives each trial the point of the sequence that has its number, or, after points that constraints forbid, the
    first one behind that of the trial before it.

    Optuna's counts in the database what it gave, one trial at a time, and draws its first trial at random, and all of
    those that are asked for before one has ended.
    """

    def __init__(self, options: QMCOptions, circumstances: Circumstances) -> None:
        super().__init__(
            qmc_type=options.qmc_type.value.lower(),
            scramble=options.scramble,
            seed=circumstances.seed,
            warn_independent_sampling=False,
        )
        self._space = dict(sorted(circumstances.distributions.items()))
        self._number = 0
        self.draw = 0
        """How many points have been refused for the trial that is asked for."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._number = trial.number + _passed(study, trial.number) + self.draw
        if self._number > trial.number:
            study._storage.set_trial_system_attr(trial._trial_id, _POINT, self._number)
        return super().sample_relative(study, trial, search_space)

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


_POINT = "tuning:point"
"""System attribute of a trial: which point of the sequence it has, if not that of its number."""
_MOST_POINTS = 2**30
"""SciPy's sequences end there."""


def _passed(study: Study, number: int) -> int:
    """Return how many points of a sequence were passed by before a trial."""
    if number == 0:
        return 0
    before = study._storage.get_all_trials(study._study_id, deepcopy=False)[number - 1]
    point = before.system_attrs.get(_POINT)
    return point - before.number if type(point) is int and before.number < point < _MOST_POINTS else 0


def _qmc(options: ResourceModel, circumstances: Circumstances) -> BaseSampler:
    assert isinstance(options, QMCOptions)
    return NumberedQMC(options, circumstances)


_ROUNDS_AT_ONCE = 8
"""Of CMA-ES: what ends after its generation counts for nothing, but few large generations find less than many small
ones. In `benchmarks/search` 1, 2 and 4 found less than Optuna's size with 64 trials at a time, and this as much."""


_BEST_TENTH = 10
"""Of CMA-ES: a warm start takes the best tenth, which must not be nobody. Repeating few results leaves the best one."""


def _cma_es(options: ResourceModel, circumstances: Circumstances) -> BaseSampler:
    assert isinstance(options, CMAESOptions)
    from tuning_operator.search.cma_es import CheckedCmaEsSampler  # with SciPy: a second, and 80 MB

    numeric = {
        name: distribution
        for name, distribution in circumstances.distributions.items()
        if name in circumstances.unconditional
        and not isinstance(distribution, CategoricalDistribution)
        and not distribution.single()
    }
    warm = [*filter(keeps_bounds, circumstances.warm)] or circumstances.warm
    sources = [_only(trial, numeric) for trial in warm]
    usual_popsize = 4 + int(3 * math.log(max(1, len(numeric))))
    return CheckedCmaEsSampler(
        numeric,
        # The first generation is spread over the best of them (Nomura et al., Warm Starting CMA-ES, 2021).
        sources * math.ceil(_BEST_TENTH / max(1, len(sources))),
        n_startup_trials=options.n_startup_trials,
        popsize=options.popsize or max(usual_popsize, circumstances.parallelism // _ROUNDS_AT_ONCE),
        consider_pruned_trials=options.consider_pruned_trials,
        use_separable_cma=options.use_separable_cma and len(numeric) > 1,
        with_margin=options.with_margin,
        lr_adapt=options.lr_adapt,
        warn_independent_sampling=False,
    )


def _only(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return a trial with some of its parameters."""
    part = copy.copy(trial)
    part.params = {name: trial.params[name] for name in space}
    part.distributions = dict(space)
    return part


def _gp(options: ResourceModel, _circumstances: Circumstances) -> BaseSampler:
    assert isinstance(options, GPOptions)
    return BoundedGPSampler(
        n_startup_trials=options.n_startup_trials,
        deterministic_objective=options.deterministic_objective,
        warn_independent_sampling=False,
    )


APART = {SamplerName.GP}
"""Samplers that are asked in a process of their own: PyTorch takes 300 MB and seconds, and would hold up reports."""

SAMPLERS: dict[SamplerName, Callable[[ResourceModel, Circumstances], BaseSampler]] = {
    SamplerName.RANDOM: _random,
    SamplerName.GRID: _random,  # walk.py fixes every parameter; what an enqueued trial leaves out is random
    SamplerName.BRUTE_FORCE: _random,
    SamplerName.QMC: _qmc,
    SamplerName.TPE: _tpe,
    SamplerName.GP: _gp,
    SamplerName.CMA_ES: _cma_es,
    SamplerName.NSGA_II: nsga_ii,
    SamplerName.NSGA_III: nsga_iii,
    **dict.fromkeys(STRATEGIES, _random),  # what they do not give
}
