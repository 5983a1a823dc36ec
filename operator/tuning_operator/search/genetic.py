"""The genetic algorithms of Optuna, kept from looking for a child for ever."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from optuna import Study
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, nsgaii
from optuna.samplers._ga import BaseGASampler
from optuna.samplers.nsgaii import BaseCrossover
from optuna.trial import FrozenTrial

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.samplers import Crossover, Mutation, NSGAIIIOptions, NSGAIIOptions

_MOST_CHILDREN = 100
"""Children of a trial's parents that may lie outside of the space; the next one is moved to its border."""
_MARGIN = 1e-9
"""How far inside of the border, in widths of the range: a rounding error must not take it outside again."""


class _Bounded(BaseCrossover):
    """Moves a child to the border of the space once so many for the same trial were born outside of it.

    Optuna tries until one is inside, which takes for ever with many parameters: each has to be.
    """

    def __init__(self, crossover: BaseCrossover) -> None:
        self._crossover = crossover
        self._children = 0
        """Of the same trial."""

    @property
    def n_parents(self) -> int:
        return self._crossover.n_parents

    def begin(self) -> None:
        """Count anew, for another trial: what it gets follows from the trials before it alone."""
        self._children = 0

    def crossover(
        self,
        parents_params: np.ndarray,
        rng: np.random.RandomState,
        study: Study,
        search_space_bounds: np.ndarray,
    ) -> np.ndarray:
        child = self._crossover.crossover(parents_params, rng, study, search_space_bounds)
        self._children += 1
        if self._children <= _MOST_CHILDREN:
            return child
        low, high = search_space_bounds.T
        margin = _MARGIN * (high - low)
        return np.asarray(np.clip(child, low + margin, high - margin))


def nsga_ii(options: ResourceModel, _circumstances: object) -> BaseSampler:
    """Return Optuna's sampler."""
    assert isinstance(options, NSGAIIOptions)
    crossover = _crossover(options)
    return _beginning(NSGAIISampler(crossover=crossover, **_genetic(options)), crossover)


def nsga_iii(options: ResourceModel, _circumstances: object) -> BaseSampler:
    """Return Optuna's sampler."""
    assert isinstance(options, NSGAIIIOptions)
    crossover, dividing = _crossover(options), options.dividing_parameter
    return _beginning(NSGAIIISampler(crossover=crossover, dividing_parameter=dividing, **_genetic(options)), crossover)


def as_first_generation(trial: FrozenTrial, sampler: BaseSampler) -> FrozenTrial:
    """Return a result of others as a genetic algorithm takes it: of its first generation."""
    if not isinstance(sampler, BaseGASampler):
        return trial
    of_first = copy.copy(trial)
    of_first.system_attrs = {**trial.system_attrs, sampler._get_generation_key(): 0}
    return of_first


def _beginning(sampler: NSGAIISampler | NSGAIIISampler, crossover: _Bounded) -> BaseSampler:
    """Return the sampler, which tells the crossover when it is about another trial."""
    breed = sampler._child_generation_strategy

    def of_another_trial(*of: Any) -> dict[str, Any]:
        crossover.begin()
        return breed(*of)

    sampler._child_generation_strategy = of_another_trial
    return sampler


def _crossover(options: NSGAIIOptions) -> _Bounded:
    return _Bounded(_CROSSOVERS[options.crossover](options.swapping_prob))


def _genetic(options: NSGAIIOptions) -> dict[str, Any]:
    return {
        "population_size": options.population_size,
        "crossover_prob": options.crossover_prob,
        "swapping_prob": options.swapping_prob,
        "mutation": _MUTATIONS[options.mutation](),
        "mutation_prob": options.mutation_prob,
    }


_CROSSOVERS: dict[Crossover, Callable[[float], nsgaii.BaseCrossover]] = {
    Crossover.UNIFORM: nsgaii.UniformCrossover,
    Crossover.BLX_ALPHA: lambda _: nsgaii.BLXAlphaCrossover(),
    Crossover.SPX: lambda _: nsgaii.SPXCrossover(),
    Crossover.SBX: lambda _: nsgaii.SBXCrossover(),
    Crossover.VSBX: lambda _: nsgaii.VSBXCrossover(),
    Crossover.UNDX: lambda _: nsgaii.UNDXCrossover(),
}
"""Made with the probability of swapping."""

_MUTATIONS: dict[Mutation, Callable[[], nsgaii.BaseMutation | None]] = {
    Mutation.RANDOM: lambda: None,
    Mutation.POLYNOMIAL: nsgaii.PolynomialMutation,
}
