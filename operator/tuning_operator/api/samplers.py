"""Samplers: how the next parameters are chosen, and each one's options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, Strict, model_validator

from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.options import Method, NoOptions, Options, Points, parse_options
from tuning_operator.api.strategies import (
    NO_SECOND_RUNG,
    MIHAOptions,
    PopulationBasedTrainingOptions,
    RegularizedEvolutionOptions,
    SynchronousHyperbandOptions,
)

StartupTrials = Annotated[int, Field(ge=0, le=10_000)]
Probability = Annotated[float, Field(ge=0, le=1)]


class SamplerName(StrEnum):
    """How the next parameters are chosen."""

    RANDOM = "Random"
    GRID = "Grid"
    BRUTE_FORCE = "BruteForce"
    QMC = "QMC"
    TPE = "TPE"
    GP = "GP"
    CMA_ES = "CMAES"
    NSGA_II = "NSGAII"
    NSGA_III = "NSGAIII"
    SYNCHRONOUS_HYPERBAND = "SynchronousHyperband"
    POPULATION_BASED_TRAINING = "PopulationBasedTraining"
    MIHA = "MIHA"
    REGULARIZED_EVOLUTION = "RegularizedEvolution"

    @property
    def learns(self) -> bool:
        """Whether results of other trials, wherever they come from, change what it suggests."""
        return self in LEARNING

    @property
    def is_strategy(self) -> bool:
        """Whether it proposes trials by a plan of its own, and not only their parameters."""
        return self in STRATEGIES

    @property
    def inherits_checkpoints(self) -> bool:
        """Whether trials go on from other trials' checkpoints."""
        return self in INHERITING


INHERITING = (SamplerName.SYNCHRONOUS_HYPERBAND, SamplerName.POPULATION_BASED_TRAINING, SamplerName.MIHA)
"""Strategies whose trials go on from other trials' checkpoints."""

STRATEGIES = (*INHERITING, SamplerName.REGULARIZED_EVOLUTION)
"""Samplers that propose trials by a plan of their own."""


ONE_OBJECTIVE = (SamplerName.CMA_ES, *STRATEGIES)
"""Samplers that can't search by several objectives."""


LEARNING = (SamplerName.TPE, SamplerName.GP, SamplerName.CMA_ES, SamplerName.NSGA_II, SamplerName.NSGA_III)
"""Samplers that other trials' results lead."""


class RandomOptions(ResourceModel):
    """Options of the Random sampler."""

    unique: bool = False
    """Try no point twice. A space without a continuous Float has an end then: the study ends as Exhausted."""


class GridOptions(ResourceModel):
    """Options of the Grid sampler."""

    points: Points | None = None
    """How many values of each continuous Float and each Log range to try; ranges with a step need none."""


class QMCType(StrEnum):
    """A sequence of points with low discrepancy."""

    SOBOL = "Sobol"
    HALTON = "Halton"


class QMCOptions(ResourceModel):
    """Options of the quasi-Monte Carlo sampler."""

    qmc_type: Annotated[QMCType, Strict(False)] = QMCType.SOBOL
    """Sobol (default), best with a power of two of trials, or Halton."""
    scramble: bool = True
    """Shift the sequence at random, as the seed says; without it every study begins with the same points."""


class TPEOptions(ResourceModel):
    """Options of the tree-structured Parzen estimator, as Optuna documents them."""

    n_startup_trials: StartupTrials = 10
    """Trials that are sampled at random before the model is used."""
    n_ei_candidates: Annotated[int, Field(ge=1, le=10_000)] = 24
    """Candidates of which the one with the largest expected improvement is taken."""
    multivariate: bool | None = None
    """Model the parameters jointly instead of one by one; unset: with one objective and with `group`, as in Optuna."""
    group: bool = False
    """With multivariate: split the parameters into groups that appear together."""
    constant_liar: bool = True
    """Treat running trials as bad ones, so that parallel trials spread out."""

    @model_validator(mode="after")
    def _group_needs_multivariate(self) -> TPEOptions:
        if self.group and self.multivariate is False:
            raise ValueError("`group: true` needs `multivariate: true`")
        return self


class GPOptions(ResourceModel):
    """Options of the Gaussian process sampler."""

    n_startup_trials: StartupTrials = 10
    """Trials that must be complete before the model is used; until then points are random."""
    deterministic_objective: bool = False
    """The same parameters always give the same value: assume no noise."""


class CMAESOptions(ResourceModel):
    """Options of the covariance matrix adaptation evolution strategy."""

    n_startup_trials: StartupTrials = 1
    """Trials that must be complete before the strategy starts; until then points are random."""
    popsize: Annotated[int, Field(ge=4, le=10_000)] | None = None
    """Trials of a generation; unset: 4 + 3 ln(number of Float and Int without `when`), at least `parallelism` / 8."""
    consider_pruned_trials: bool = False
    """Learn from pruned trials by their last value too; for Hyperband and SuccessiveHalving, which prune most."""
    use_separable_cma: bool = False
    """Adapt each parameter's spread alone, not how they hang together; for many parameters."""
    with_margin: bool = False
    """Keep steps and whole numbers from freezing at one value; for spaces with many of them."""
    lr_adapt: bool = False
    """Adapt the learning rate; for objectives with much noise or many local optima."""

    @model_validator(mode="after")
    def _variants_exclude_each_other(self) -> CMAESOptions:
        if sum((self.use_separable_cma, self.with_margin, self.lr_adapt)) > 1:
            raise ValueError("`useSeparableCma`, `withMargin` and `lrAdapt` exclude each other; keep one")
        return self


class Crossover(StrEnum):
    """How two or three parents become a child."""

    UNIFORM = "Uniform"
    BLX_ALPHA = "BLXAlpha"
    SPX = "SPX"
    SBX = "SBX"
    VSBX = "VSBX"
    UNDX = "UNDX"


class Mutation(StrEnum):
    """How a child's parameter is changed."""

    RANDOM = "Random"
    POLYNOMIAL = "Polynomial"


_PARENTS = {Crossover.SPX: 3, Crossover.UNDX: 3}
"""Where they are not two."""


class NSGAIIOptions(ResourceModel):
    """Options of the genetic algorithm NSGA-II."""

    population_size: Annotated[int, Field(ge=2, le=10_000)] = 50
    """Complete trials of a generation."""
    crossover: Annotated[Crossover, Strict(False)] = Crossover.UNIFORM
    """How parents' Float and Int parameters are combined; Categorical ones are always taken from either."""
    crossover_prob: Probability = 0.9
    """How often a child has several parents instead of one."""
    swapping_prob: Probability = 0.5
    """With Uniform, and for Categorical parameters: how often a value comes from the second parent."""
    mutation: Annotated[Mutation, Strict(False)] = Mutation.RANDOM
    """Random (default): a mutated parameter is drawn anew. Polynomial: Float and Int ones move a little."""
    mutation_prob: Probability | None = None
    """How often each parameter is mutated; unset: 1 / number of parameters."""

    @model_validator(mode="after")
    def _population_has_parents(self) -> NSGAIIOptions:
        parents = _PARENTS.get(self.crossover, 2)
        if self.population_size < parents:
            raise ValueError(
                f"`crossover: {self.crossover.value}` needs {parents} parents; raise `populationSize` to {parents}"
            )
        return self


class NSGAIIIOptions(NSGAIIOptions):
    """Options of the genetic algorithm NSGA-III."""

    dividing_parameter: Annotated[int, Field(ge=1, le=100)] = 3
    """Divisions of each objective's axis by the reference points that survivors are spread over."""


SAMPLER_OPTIONS: dict[SamplerName, type[ResourceModel]] = {
    SamplerName.RANDOM: RandomOptions,
    SamplerName.GRID: GridOptions,
    SamplerName.BRUTE_FORCE: NoOptions,
    SamplerName.QMC: QMCOptions,
    SamplerName.TPE: TPEOptions,
    SamplerName.GP: GPOptions,
    SamplerName.CMA_ES: CMAESOptions,
    SamplerName.NSGA_II: NSGAIIOptions,
    SamplerName.NSGA_III: NSGAIIIOptions,
    SamplerName.SYNCHRONOUS_HYPERBAND: SynchronousHyperbandOptions,
    SamplerName.POPULATION_BASED_TRAINING: PopulationBasedTrainingOptions,
    SamplerName.MIHA: MIHAOptions,
    SamplerName.REGULARIZED_EVOLUTION: RegularizedEvolutionOptions,
}


class Sampler(Method):
    """The sampler and its options."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel(
                    "!has(self.options) || !has(self.options.maxResource) || self.name != 'SynchronousHyperband' || "
                    "self.options.maxResource >= (has(self.options.minResource) ? self.options.minResource : 1.0) * "
                    "(has(self.options.reductionFactor) ? self.options.reductionFactor : 3.0)",
                    f"`maxResource` is below `minResource` times `reductionFactor`, {NO_SECOND_RUNG}",
                    ".options",
                )
            ]
        }
    )

    name: Annotated[SamplerName, Strict(False)] = SamplerName.TPE
    """TPE (default), another sampler, or a strategy, which also says from which trial's checkpoint a trial goes on."""
    options: Options = Field(default_factory=dict)
    """The sampler's own options; an unknown one is an error that lists the known."""

    def parsed_options(self) -> ResourceModel:
        """Return the options as the model of this sampler."""
        return parse_options(self.name.value, SAMPLER_OPTIONS[self.name], self.options)
