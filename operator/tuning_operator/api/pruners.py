"""Pruners: how hopeless trials are recognised, and each one's options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, Strict, model_validator

from tuning_contract.reports import MAX_STEP
from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.options import Method, NoOptions, Options, ReductionFactor, Steps, parse_options
from tuning_operator.api.scalars import NonNegativeNumber, Number

Trials = Annotated[int, Field(ge=1, le=10_000)]


class PrunerName(StrEnum):
    """How hopeless trials are recognised."""

    NONE = "None"
    MEDIAN = "Median"
    PERCENTILE = "Percentile"
    SUCCESSIVE_HALVING = "SuccessiveHalving"
    HYPERBAND = "Hyperband"
    THRESHOLD = "Threshold"
    PATIENT = "Patient"
    WILCOXON = "Wilcoxon"


class MedianOptions(ResourceModel):
    """Options of the median rule: stop a trial that is worse than the median of the earlier ones at the same step."""

    n_startup_trials: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Trials that must be complete before the rule is used."""
    n_warmup_steps: Annotated[int, Field(ge=0, le=MAX_STEP)] = 0
    """A trial is never pruned before this step; with epochs that are counted from 1, write one more."""
    interval_steps: Steps = 1
    """Steps between two checks."""
    n_min_trials: Trials = 1
    """Trials that must have reported at a step before the rule is used there."""


class PercentileOptions(MedianOptions):
    """Options of the percentile rule: stop a trial that is not among the best earlier ones at the same step."""

    percentile: Annotated[float, Field(ge=0, le=100)] = 25.0
    """How many per cent of the trials may go on; 50 is the median rule."""


class SuccessiveHalvingOptions(ResourceModel):
    """Options of asynchronous successive halving (ASHA): only the best at each rung go on to the next."""

    min_resource: Steps = 1
    """Step of the first rung."""
    reduction_factor: ReductionFactor = 4
    """How much farther each rung is than the one before; one of so many trials goes on."""
    min_early_stopping_rate: Annotated[int, Field(ge=0, le=30)] = 0
    """Rungs that are left out at the beginning."""
    bootstrap_count: Annotated[int, Field(ge=0, le=10_000)] = 0
    """At each rung, the first so many trials are stopped without comparison."""

    @model_validator(mode="after")
    def _trials_come_to_a_rung(self) -> SuccessiveHalvingOptions:
        if self.min_resource * self.reduction_factor**self.min_early_stopping_rate > MAX_STEP:
            raise ValueError(
                "the first rung, at step minResource * reductionFactor ^ minEarlyStoppingRate, lies beyond the last "
                f"step that there is ({MAX_STEP}), so that no trial would be stopped; lower one of the three"
            )
        return self


_NO_RUNG = (
    "so that no trial would be stopped before its end; raise it to the number of epochs of a whole trial, lower "
    "`minResource`, or remove the pruner"
)


class HyperbandOptions(ResourceModel):
    """Options of Hyperband: several successive halvings side by side, from merciless to patient ones."""

    min_resource: Steps = 1
    """Step of the first rung of the most merciless bracket."""
    max_resource: Steps
    """The last step of a whole trial: its number of epochs. There are no rungs from there on."""
    reduction_factor: ReductionFactor = 3
    """How much farther each rung is than the one before; one of so many trials goes on."""
    bootstrap_count: Annotated[int, Field(ge=0, le=10_000)] = 0
    """At each rung, the first so many trials of a bracket are stopped without comparison."""

    @model_validator(mode="after")
    def _there_is_a_rung(self) -> HyperbandOptions:
        if self.min_resource >= self.max_resource:
            raise ValueError(
                f"`maxResource` ({self.max_resource}) is not above `minResource` ({self.min_resource}), {_NO_RUNG}"
            )
        return self


class ThresholdOptions(ResourceModel):
    """Options of the threshold rule: stop a trial whose value leaves the bounds."""

    lower: Number | None = None
    """A trial with a smaller value is stopped."""
    upper: Number | None = None
    """A trial with a larger value is stopped."""
    n_warmup_steps: Annotated[int, Field(ge=0, le=MAX_STEP)] = 0
    """A trial is never pruned before this step; with epochs that are counted from 1, write one more."""
    interval_steps: Steps = 1
    """Steps between two checks."""

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> ThresholdOptions:
        if self.lower is None and self.upper is None:
            raise ValueError("Threshold needs `lower` or `upper`, or both")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"`lower` ({self.lower:g}) is above `upper` ({self.upper:g}); swap them")
        return self


ONE_RUN = "Wilcoxon compares the runs of trials, and each trial has one; set `trial.repeats` or `trial.folds`"


class WilcoxonOptions(ResourceModel):
    """Options of the Wilcoxon rule: stop a trial whose complete runs are worse than the best trial's, one by one."""

    p_threshold: Annotated[float, Field(ge=0, le=1)] = 0.1
    """A trial is stopped when chance explains its runs with less than this probability; larger values stop earlier."""
    n_startup_steps: Annotated[int, Field(ge=0, le=10_000)] = 2
    """Runs that must be complete before a trial is stopped; two at least."""

    def why_useless(self, runs: int) -> str | None:
        """Return why no trial of so many runs would ever be stopped; None: it could be."""
        if runs == 1:
            return ONE_RUN
        judged = runs - 1  # after the last one there is nothing to stop
        if judged < max(2, self.n_startup_steps) or 0.5**judged >= self.p_threshold:
            return (
                f"Wilcoxon can't stop a trial of {runs} runs before the last one: chance explains {judged} worse runs "
                f"with probability {0.5**judged:g}, and `pThreshold` is {self.p_threshold:g}, `nStartupSteps` "
                f"{self.n_startup_steps}; take more runs, or change these"
            )
        return None


_NOT_WRAPPED = {
    PrunerName.NONE: "is None, which stops no trial; name a pruner, or leave `wrappedPruner` out to stop each trial "
    "that has stopped getting better",
    PrunerName.PATIENT: "can't be Patient again; name another pruner",
    PrunerName.WILCOXON: "judges steps, but Wilcoxon judges runs; name another pruner",
}


class PatientOptions(ResourceModel):
    """Options of patience: stop a trial only when it has stopped getting better."""

    patience: Annotated[int, Field(ge=0, le=100_000)]
    """Steps without improvement that are borne; one more, and the trial may be stopped."""
    min_delta: NonNegativeNumber = 0
    """How much worse than before the last steps must be, in the objective's own unit."""
    wrapped_pruner: Pruner | None = None
    """Which trials that have stopped getting better are stopped: `{name, options}`; unset: all of them."""

    @model_validator(mode="after")
    def _another_pruner_is_wrapped(self) -> PatientOptions:
        problem = None if self.wrapped_pruner is None else _NOT_WRAPPED.get(self.wrapped_pruner.name)
        if problem is not None:
            raise ValueError(f"`wrappedPruner` of Patient {problem}")
        return self


class Pruner(Method):
    """The pruner and its options."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel(
                    "!has(self.options) || !has(self.options.maxResource) || self.name != 'Hyperband' || "
                    "self.options.maxResource > (has(self.options.minResource) ? self.options.minResource : 1.0)",
                    f"`maxResource` is not above `minResource`, {_NO_RUNG}",
                    ".options",
                )
            ]
        }
    )

    name: Annotated[PrunerName, Strict(False)] = PrunerName.NONE
    """None (default), Median, Percentile, SuccessiveHalving, Hyperband, Threshold, Patient or Wilcoxon."""
    options: Options = Field(default_factory=dict)
    """The pruner's own options; an unknown one is an error that lists the known."""

    def parsed_options(self) -> ResourceModel:
        """Return the options as the model of this pruner."""
        return parse_options(self.name.value, PRUNER_OPTIONS[self.name], self.options)


PatientOptions.model_rebuild()

PRUNER_OPTIONS: dict[PrunerName, type[ResourceModel]] = {
    PrunerName.NONE: NoOptions,
    PrunerName.MEDIAN: MedianOptions,
    PrunerName.PERCENTILE: PercentileOptions,
    PrunerName.SUCCESSIVE_HALVING: SuccessiveHalvingOptions,
    PrunerName.HYPERBAND: HyperbandOptions,
    PrunerName.THRESHOLD: ThresholdOptions,
    PrunerName.PATIENT: PatientOptions,
    PrunerName.WILCOXON: WilcoxonOptions,
}
