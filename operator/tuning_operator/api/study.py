"""The TuningStudy resource: what a user writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, Strict, StringConstraints, model_validator

from tuning_operator.api import several_objectives
from tuning_operator.api.constraints import MAX_CONSTRAINTS, MAX_EXPRESSION
from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.model import CEL_RULES, ResourceModel, list_map
from tuning_operator.api.names import RESUME_ANNOTATION, STORAGE_ANNOTATION, STUDY_NAME
from tuning_operator.api.parameters import Parameter
from tuning_operator.api.scalars import Number
from tuning_operator.api.search import Search
from tuning_operator.api.stopping import FailedTrials, Stopping, Suspend, Suspension
from tuning_operator.api.study_checks import why_fields_disagree
from tuning_operator.api.study_rules import RULES
from tuning_operator.api.trial_metrics import MetricName
from tuning_operator.api.trial_template import Trial

__all__ = [
    "Direction",
    "FailedTrials",
    "Metadata",
    "MetricName",
    "Objective",
    "Reduce",
    "Stopping",
    "StudySpec",
    "Suspend",
    "Suspension",
    "TuningStudy",
]


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
    direction: Annotated[Direction, Strict(False)]
    """Maximize or Minimize."""
    goal: Number | None = None
    """A value that is good enough: when a trial reaches it, the study ends with reason GoalReached."""
    reduce: Annotated[Reduce, Strict(False)] = Reduce.LAST
    """A trial's value from its reports: the Last (default), the Best or the Mean."""


class StudySpec(ResourceModel):
    """What to tune, and how."""

    model_config = ConfigDict(json_schema_extra={CEL_RULES: [*RULES]})

    objectives: Annotated[
        list[Objective],
        Field(min_length=1, max_length=several_objectives.MAX_OBJECTIVES, json_schema_extra=list_map("metric")),
    ]
    """The metric to optimise; with several, the trials are looked for that no other one is better than in all."""
    metric_constraints: Annotated[
        list[MetricConstraint], Field(max_length=20, json_schema_extra=list_map("metric"))
    ] = Field(default_factory=list)
    """Bounds that a trial's metrics should keep. A trial that does not is worse than any that does, whatever its
    values; TPE, GP, NSGAII and NSGAIII learn from how far it is off."""
    parameters: Annotated[list[Parameter], Field(max_length=200, json_schema_extra=list_map("name"))] = Field(
        default=[]
    )
    """The search space; with `defineByRun` only what every trial gets before its code runs."""
    define_by_run: bool = False
    """Lets the trials' code name further parameters while it runs, by `suggest_float` and so on, as Optuna does."""
    constraints: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXPRESSION)]],
        Field(max_length=MAX_CONSTRAINTS),
    ] = Field(default_factory=list)
    """CEL expressions over the parameters that each trial meets, like `layers * units <= 512`."""
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
    deletion_policy: Annotated[DeletionPolicy, Strict(False)] = DeletionPolicy.RETAIN
    """Retain (default) or Delete the trials when this object is deleted. What an operator that ran saw last counts."""
    trial: Trial
    """How each trial is run."""

    @property
    def objective(self) -> Objective:
        """The only objective, or the first one."""
        return self.objectives[0]

    @property
    def measured(self) -> list[str]:
        """The metrics that count, the first objective first."""
        metrics = [*(of.metric for of in self.objectives), *(of.metric for of in self.metric_constraints)]
        return list(dict.fromkeys(metrics))

    @model_validator(mode="after")
    def _fields_go_together(self) -> StudySpec:
        if (problem := why_fields_disagree(self)) is not None:
            raise ValueError(problem)
        return self


MAX_NAME = 40
"""Characters of a study's name: a Job's name is made of it, the uid, the trial and the attempt, within 63."""


class Metadata(ResourceModel):
    """The part of an object's metadata that this project reads; the rest is kept out."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=STUDY_NAME)]
    """At most 40 characters, for names of Jobs are made of it."""
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    creation_timestamp: str | None = None
    annotations: dict[str, str] = Field(default_factory=dict)

    @property
    def resume(self) -> str:
        """Which earlier history of its name the study goes on with: `true` or a uid; empty: none."""
        value = self.annotations.get(RESUME_ANNOTATION, "")
        return "" if value == "false" else value

    @property
    def storage(self) -> str:
        """Which database the study shall go on with, although its status is of another one; empty: none."""
        return self.annotations.get(STORAGE_ANNOTATION, "")


class TuningStudy(ResourceModel):
    """A TuningStudy object. `status` is left as it came: it is read back leniently by `status.StudyStatus`."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: StudySpec
    status: dict[str, Any] = Field(default_factory=dict)
