"""How the space is searched: sampler, pruner, seed and the trials to run first."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, ValidationError, WithJsonSchema, model_validator

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.parameters import ParameterName
from tuning_operator.api.scalars import Scalar
from tuning_operator.api.sentences import problems, shown

Options = Annotated[
    dict[str, Any],
    Field(max_length=32),
    WithJsonSchema({"type": "object", "maxProperties": 32, "x-kubernetes-preserve-unknown-fields": True}),
]
"""Options as the user wrote them; each method's own model below checks them by name and type."""


def _without_nulls(trial: Any) -> Any:
    """As the API server does it: a null counts as left out."""
    return {name: value for name, value in trial.items() if value is not None} if isinstance(trial, dict) else trial


EnqueuedTrial = Annotated[dict[ParameterName, Scalar], Field(max_length=200), BeforeValidator(_without_nulls)]
"""Parameters by name; what is left out is sampled."""


class SamplerName(StrEnum):
    """How the next parameters are chosen."""

    RANDOM = "Random"
    GRID = "Grid"
    TPE = "TPE"


class PrunerName(StrEnum):
    """How hopeless trials are recognised."""

    NONE = "None"
    MEDIAN = "Median"


class NoOptions(ResourceModel):
    """A method without options."""


class GridOptions(ResourceModel):
    """Options of the Grid sampler."""

    points: Annotated[int, Field(ge=2, le=1000)] | None = None
    """How many values of each continuous Float and each logarithmic range to try; ranges with a step need none."""


class TPEOptions(ResourceModel):
    """Options of the tree-structured Parzen estimator, as Optuna documents them."""

    n_startup_trials: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Trials that are sampled at random before the model is used."""
    n_ei_candidates: Annotated[int, Field(ge=1, le=10_000)] = 24
    """Candidates of which the one with the largest expected improvement is taken."""
    multivariate: bool = True
    """Model the parameters jointly instead of one by one."""
    group: bool = False
    """With multivariate: split the parameters into groups that appear together."""
    constant_liar: bool = True
    """Treat running trials as bad ones, so that parallel trials spread out."""

    @model_validator(mode="after")
    def _group_needs_multivariate(self) -> TPEOptions:
        if self.group and not self.multivariate:
            raise ValueError("`group: true` needs `multivariate: true`")
        return self


class MedianOptions(ResourceModel):
    """Options of the median rule: stop a trial that is worse than the median of the earlier ones at the same step."""

    n_startup_trials: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Trials that must be complete before the rule is used."""
    n_warmup_steps: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Steps of each trial during which it is never pruned."""
    interval_steps: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1
    """Steps between two checks."""
    n_min_trials: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Trials that must have reported at a step before the rule is used there."""


SAMPLER_OPTIONS: dict[SamplerName, type[ResourceModel]] = {
    SamplerName.RANDOM: NoOptions,
    SamplerName.GRID: GridOptions,
    SamplerName.TPE: TPEOptions,
}
PRUNER_OPTIONS: dict[PrunerName, type[ResourceModel]] = {
    PrunerName.NONE: NoOptions,
    PrunerName.MEDIAN: MedianOptions,
}


def _parse_options(method: str, model: type[ResourceModel], options: dict[str, Any]) -> ResourceModel:
    known = [field.alias or name for name, field in model.model_fields.items()]
    for name in options:
        if name not in known:
            says = f"it knows {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{method} has no option {shown(name)}; {says}")
    try:
        return model.model_validate(options, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ValueError("; ".join(problems(error, below="options"))) from None


class Sampler(ResourceModel):
    """The sampler and its options."""

    name: Annotated[SamplerName, Strict(False)] = SamplerName.TPE
    """Random, Grid or TPE (default)."""
    options: Options = Field(default_factory=dict)
    """The sampler's own options; an unknown one is an error that lists the known."""

    @model_validator(mode="after")
    def _options_are_known(self) -> Sampler:
        self.parsed_options()
        return self

    def parsed_options(self) -> ResourceModel:
        """Return the options as the model of this sampler."""
        return _parse_options(self.name.value, SAMPLER_OPTIONS[self.name], self.options)


class Pruner(ResourceModel):
    """The pruner and its options."""

    name: Annotated[PrunerName, Strict(False)] = PrunerName.NONE
    """None (default) or Median."""
    options: Options = Field(default_factory=dict)
    """The pruner's own options; an unknown one is an error that lists the known."""

    @model_validator(mode="after")
    def _options_are_known(self) -> Pruner:
        self.parsed_options()
        return self

    def parsed_options(self) -> ResourceModel:
        """Return the options as the model of this pruner."""
        return _parse_options(self.name.value, PRUNER_OPTIONS[self.name], self.options)


class Search(ResourceModel):
    """How the space is searched."""

    sampler: Sampler = Sampler()
    """Chooses the parameters of the next trial."""
    pruner: Pruner = Pruner()
    """Stops trials that are not worth their GPU."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    """The same seed and the same order of asks and tells give the same suggestions; without it each study differs."""
    enqueue: Annotated[list[EnqueuedTrial], Field(max_length=1000)] = Field(default_factory=list)
    """Parameters of the trials to run first; what a trial leaves out is sampled."""
