"""Options of the strategies: search methods that also say from which trial a trial goes on, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field, Strict, model_validator

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.options import ReductionFactor, Steps
from tuning_operator.api.parameters import Parameter, ParameterName, ParameterType, rounding
from tuning_operator.api.sentences import one_line

Names = Annotated[list[ParameterName], Field(min_length=1, max_length=200)]
Probability = Annotated[float, Field(ge=0, le=1)]
Population = Annotated[int, Field(ge=1, le=10_000)]
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]

NO_SECOND_RUNG = (
    "so that no bracket has a second rung and no trial is promoted; set it to the number of epochs of a whole trial"
)


class ConfigurationSampler(StrEnum):
    """How the parameters of new configurations are chosen."""

    RANDOM = "Random"
    QMC = "QMC"
    TPE = "TPE"


class SynchronousHyperbandOptions(ResourceModel):
    """Options of Hyperband with promotion: the best of a rung go on from their checkpoints, once all of it have ended.

    A trial that fails, or is pruned, is a loser. `tuning preview` shows the brackets and what they cost.
    """

    max_resource: Steps
    """The last step of a trial that is promoted to the end: its number of epochs."""
    min_resource: Steps = 1
    """The first rung of the most merciless bracket is not below this step."""
    reduction_factor: ReductionFactor = 3
    """How much farther each rung is than the one before; about one of so many trials goes on."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often all brackets are run, each time with new trials."""
    sampler: Annotated[ConfigurationSampler, Strict(False)] = ConfigurationSampler.RANDOM
    """What chooses new configurations: Random (default), QMC, or TPE, which learns from the trials of all rungs."""

    @model_validator(mode="after")
    def _trials_can_be_promoted(self) -> SynchronousHyperbandOptions:
        if self.max_resource < self.min_resource * self.reduction_factor:
            raise ValueError(
                f"`maxResource` ({self.max_resource}) is below `minResource` ({self.min_resource}) times "
                f"`reductionFactor` ({self.reduction_factor}), {NO_SECOND_RUNG}"
            )
        return self


class PopulationBasedTrainingOptions(ResourceModel):
    """Options of population-based training: while a population trains, its worst are replaced by changed copies of its
    best.

    `tuning preview` shows the generations and what they cost.
    """

    population_size: Annotated[int, Field(ge=2, le=10_000)] = 10
    """Trials of a generation; all may run at the same time."""
    interval: Epochs
    """Steps (epochs) of a generation."""
    generations: Annotated[int, Field(ge=1, le=10_000)]
    """How often the population trains for an interval."""
    truncation: Annotated[float, Field(ge=0.01, le=0.5)] = 0.2
    """This part of the population, the worst, gives way to copies of the same part, the best."""
    resample_prob: Probability = 0.25
    """How often a copy's parameter is drawn anew; else a Float or Int is multiplied by 0.8 or 1.2."""
    mutate: Names | None = None
    """Parameters that change in copies; unset: all. Those that shape the model must stay."""


class MIHAOptions(ResourceModel):
    """Options of MIHA: one net is trained, and in each cycle goes on in several variants with one parameter changed.

    In all it trains 2 * runupEpochs + cycles * (populationSize * epochsPerIndividual + fixingEpochs) epochs.
    """

    cycles: Annotated[int, Field(ge=1, le=10_000)] = 2
    """How often variants of the net are tried."""
    population_size: Population = 4
    """Variants of a cycle, its individuals."""
    epochs_per_individual: Epochs = 2
    """Epochs that each variant trains before they are compared."""
    fixing_epochs: Epochs = 4
    """Epochs that the chosen net trains at the end of a cycle."""
    runup_epochs: Epochs = 3
    """Epochs of the net before the first cycle, and again after the last one."""
    crossover: bool = True
    """The chosen net has the weights of the fittest variant, and of the two fittest's changes each from either."""
    keep_unchanged: bool = False
    """The first variant of each cycle is the net as it was, so that a change must be better than none."""
    mutate: Names | None = None
    """Parameters that may be changed; unset: every Categorical and Int. Those that shape the model must stay."""
    largest_step: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """An Int is changed by at most so many of its steps."""


class OnFailure(StrEnum):
    """What a failed trial is for evolution."""

    IGNORE = "Ignore"
    WORST = "Worst"


class RegularizedEvolutionOptions(ResourceModel):
    """Options of regularised evolution: children of the best of a few, while the oldest die."""

    population_size: Population = 100
    """The newest so many trials may have children; as many begin with parameters that are drawn at random."""
    sample_size: Population = 25
    """Trials that are drawn from the population; the best of them is the parent."""
    mutation_prob: Probability = 0.05
    """How often each parameter of a child is drawn anew; one at least is."""
    on_failure: Annotated[OnFailure, Strict(False)] = OnFailure.IGNORE
    """Ignore (default): a failed trial is replaced. Worst: it is a member of the population, the worst one."""

    @model_validator(mode="after")
    def _sample_fits(self) -> RegularizedEvolutionOptions:
        if self.sample_size > self.population_size:
            raise ValueError(
                f"`sampleSize` ({self.sample_size}) is above `populationSize` ({self.population_size}); lower it"
            )
        return self


def why_nothing_changes(options: ResourceModel, parameters: Sequence[Parameter]) -> str | None:
    """Return, as a sentence, which parameters a strategy is to change and can't; None: it has some to change."""
    if isinstance(options, RegularizedEvolutionOptions):
        return None if any(map(_has_several_values, parameters)) else _NOTHING_TO_CHANGE
    if not isinstance(options, PopulationBasedTrainingOptions | MIHAOptions):
        return None
    searched = {parameter.name: parameter.type for parameter in parameters if _has_several_values(parameter)}
    names = options.mutate or ()
    for place, name in enumerate(names):
        if name not in searched:
            return f"`mutate` of the strategy names `{one_line(name)}`, which no trial searches; correct the name"
        if name in names[:place]:
            return f"`{one_line(name)}` stands twice in `mutate` of the strategy; remove one"
    kinds = {searched[name] for name in options.mutate or searched}
    if isinstance(options, MIHAOptions):
        return None if options.mutate or kinds & _STEPPING else _NOTHING_TO_STEP
    if not kinds:
        return _NOTHING_TO_CHANGE
    return _NOTHING_TO_MULTIPLY if options.resample_prob == 0 and kinds == {ParameterType.CATEGORICAL} else None


_STEPPING = {ParameterType.CATEGORICAL, ParameterType.INT}
_NOTHING_TO_STEP = (
    "MIHA changes Categorical and Int parameters, and there are none; add one, or name others in `mutate`"
)
_NOTHING_TO_CHANGE = (
    "the strategy goes on with changed parameters, and none of `parameters` has several values; add one that has, or "
    "take another sampler"
)
_NOTHING_TO_MULTIPLY = (
    "with `resampleProb` 0 PopulationBasedTraining changes Float and Int parameters only, and there are none to "
    "change; raise it, or add one"
)


def _has_several_values(parameter: Parameter) -> bool:
    if parameter.type is ParameterType.CATEGORICAL:
        return len(parameter.choices or ()) > 1
    low, high, step = parameter.low, parameter.high, parameter.step
    if low is None or high is None or step is None:
        return low != high
    return low + step <= high + rounding(low, high, step)
