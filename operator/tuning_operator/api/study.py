"""The TuningStudy resource: what a user writes."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.parameters import Parameter, ParameterType, Scale
from tuning_operator.api.search import GridOptions, SamplerName, Search
from tuning_operator.api.trial_template import Trial, trainer_container

MetricName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./@:-]{0,127}$", max_length=128)]
"""Name of a metric that trials report."""


class Direction(StrEnum):
    """Which values are better."""

    MAXIMIZE = "Maximize"
    MINIMIZE = "Minimize"


class Reduce(StrEnum):
    """How a trial's value comes from its reports."""

    LAST = "Last"
    BEST = "Best"
    MEAN = "Mean"


class Objective(ResourceModel):
    """What is optimised."""

    metric: MetricName
    """Name of the metric, as the trials report it."""
    direction: Direction
    """Maximize or Minimize."""
    goal: float | None = None
    """A value that is good enough: when a trial reaches it, the study ends with reason GoalReached."""
    reduce: Reduce = Reduce.LAST
    """A trial's value from its reports: the Last (default), the Best or the Mean."""


class Suspension(StrEnum):
    """What becomes of running trials."""

    DRAIN = "Drain"
    TERMINATE = "Terminate"


class Suspend(ResourceModel):
    """Pauses a study."""

    enabled: bool = False
    """true pauses the study, false lets it go on."""
    mode: Suspension = Suspension.DRAIN
    """Drain: running pods finish, Jobs without one are deleted. Terminate: all are deleted. Their trials wait."""


class FailedTrials(ResourceModel):
    """How many failures a study puts up with."""

    total: Annotated[int, Field(ge=1)] | None = None
    """Failed trials in all that end the study."""
    consecutive: Annotated[int, Field(ge=1)] | None = None
    """Failed trials one after the other, in the order of their ends, that end the study."""


class Stopping(ResourceModel):
    """When a study ends before `maxTrials`; the first rule to hold ends it."""

    failed_trials: FailedTrials | None = None
    """Ends the study as Failed after too many failed trials."""
    on_end: Suspension = Suspension.DRAIN
    """When a rule ends the study, running trials finish (Drain) or are deleted (Terminate)."""


class StudySpec(ResourceModel):
    """What to tune, and how."""

    objectives: Annotated[list[Objective], Field(min_length=1, max_length=1)]
    """The metric to optimise."""
    parameters: Annotated[list[Parameter], Field(min_length=1, max_length=200)]
    """The search space."""
    search: Search = Search()
    """Sampler, pruner, seed and the trials to run first."""
    max_trials: Annotated[int, Field(ge=1, le=1_000_000)]
    """Trials in all, of any end; enqueued ones count too."""
    parallelism: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Trials that may run at the same time."""
    suspend: Suspend = Suspend()
    """Pauses the study."""
    stopping: Stopping = Stopping()
    """When the study ends before `maxTrials`."""
    trial: Trial
    """How each trial is run."""

    @property
    def objective(self) -> Objective:
        """The only objective."""
        return self.objectives[0]

    @model_validator(mode="after")
    def _parameter_names_differ(self) -> StudySpec:
        seen: set[str] = set()
        for parameter in self.parameters:
            if parameter.name in seen:
                raise ValueError(f"the parameter `{parameter.name}` stands twice in `parameters`; rename or remove one")
            seen.add(parameter.name)
        return self

    @model_validator(mode="after")
    def _parallelism_is_useful(self) -> StudySpec:
        if self.parallelism > self.max_trials:
            raise ValueError(
                f"`parallelism` ({self.parallelism}) is above `maxTrials` ({self.max_trials}); "
                "lower it or raise `maxTrials`"
            )
        return self

    @model_validator(mode="after")
    def _enqueued_trials_lie_in_the_space(self) -> StudySpec:
        parameters = {parameter.name: parameter for parameter in self.parameters}
        for index, trial in enumerate(self.search.enqueue):
            for name, value in trial.items():
                if name not in parameters:
                    raise ValueError(f"`search.enqueue[{index}]` names `{name}`, which is not in `parameters`")
                if not parameters[name].contains(value):
                    raise ValueError(
                        f"`search.enqueue[{index}].{name}` is {value!r}, which `parameters` does not allow"
                    )
        return self

    @model_validator(mode="after")
    def _a_grid_is_finite(self) -> StudySpec:
        options = self.search.sampler.parsed_options()
        if self.search.sampler.name is not SamplerName.GRID or not isinstance(options, GridOptions) or options.points:
            return self
        for parameter in self.parameters:
            continuous = parameter.type is ParameterType.FLOAT and parameter.step is None
            if continuous or (parameter.type is ParameterType.INT and parameter.scale is Scale.LOG):
                raise ValueError(
                    f"Grid can't try every value of `{parameter.name}`; give it a `step` on a Linear scale, "
                    "or the sampler the option `points`"
                )
        return self

    @model_validator(mode="after")
    def _references_name_parameters(self) -> StudySpec:
        names = {parameter.name for parameter in self.parameters}
        container = trainer_container(self.trial.template)
        for text in [*(container.get("command") or ()), *(container.get("args") or ())]:
            for name in _REFERENCE.findall(text) if isinstance(text, str) else ():
                if name not in names:
                    raise ValueError(f"`trial.template` uses $(PARAM_{name}), but `parameters` has no `{name}`")
        return self


_REFERENCE = re.compile(r"(?<!\$)(?:\$\$)*\$\(PARAM_([^)]*)\)")


class Metadata(ResourceModel):
    """The part of an object's metadata that this project reads; the rest is kept out."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """At most 40 characters, for names of Jobs are made of it."""
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    deletion_timestamp: str | None = None
    creation_timestamp: str | None = None
    annotations: dict[str, Any] = Field(default_factory=dict)


class TuningStudy(ResourceModel):
    """A TuningStudy object. `status` is left as it came: it is read back leniently by `status.StudyStatus`."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: StudySpec
    status: dict[str, Any] = Field(default_factory=dict)
