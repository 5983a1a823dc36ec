"""Which strategy belongs to which name."""

from __future__ import annotations

from tuning_operator.api.parameters import ParameterType
from tuning_operator.api.samplers import Sampler, SamplerName
from tuning_operator.api.strategies import (
    MIHAOptions,
    PopulationBasedTrainingOptions,
    RegularizedEvolutionOptions,
    SynchronousHyperbandOptions,
)
from tuning_operator.search.space import Space
from tuning_operator.search.strategies.miha import MIHA
from tuning_operator.search.strategies.population_based_training import PopulationBasedTraining
from tuning_operator.search.strategies.regularized_evolution import RegularizedEvolution
from tuning_operator.search.strategies.strategy import Strategy
from tuning_operator.search.strategies.synchronous_hyperband import SynchronousHyperband
from tuning_operator.search.strategies.variation import Variation


def make_strategy(spec: Sampler, space: Space) -> Strategy | None:
    """Return the strategy of a study; None: an ordinary sampler chooses its trials."""
    options = spec.parsed_options()
    match options:
        case SynchronousHyperbandOptions():
            return SynchronousHyperband(options)
        case PopulationBasedTrainingOptions():
            return PopulationBasedTraining(options, Variation(space, options.mutate))
        case MIHAOptions():
            return MIHA(options, Variation(space, options.mutate or stepwise(space)))
        case RegularizedEvolutionOptions():
            return RegularizedEvolution(options, Variation(space))
        case _:
            return None


def sampler_of(spec: Sampler) -> Sampler:
    """Return what chooses parameters that a strategy does not give; an ordinary sampler itself."""
    options = spec.parsed_options()
    if isinstance(options, SynchronousHyperbandOptions):
        return Sampler(name=SamplerName(options.sampler.value))
    return spec


def stepwise(space: Space) -> list[str]:
    """Return the parameters that change by choices or steps: every Categorical and Int."""
    kinds = (ParameterType.CATEGORICAL, ParameterType.INT)
    return [parameter.name for parameter in space.parameters if parameter.type in kinds]
