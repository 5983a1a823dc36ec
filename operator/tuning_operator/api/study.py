"""The TuningStudy resource: what a user writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, Strict, StringConstraints, model_validator

from tuning_operator.api import several_objectives
from tuning_operator.api.conditional_parameters import why_conditions_fail, why_not_given_together
from tuning_operator.api.constraints import MAX_CONSTRAINTS, MAX_EXPRESSION, Constraints
from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.model import CEL_RULES, ResourceModel, cel, list_map
from tuning_operator.api.named_parameters import BY_RUN_RULES, WITH_LOGS, why_not_by_run
from tuning_operator.api.names import RESUME_ANNOTATION, STORAGE_ANNOTATION, STUDY_NAME
from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.api.pruners import PrunerName, WilcoxonOptions
from tuning_operator.api.samplers import INHERITING, GridOptions, SamplerName
from tuning_operator.api.scalars import Number
from tuning_operator.api.search import Search
from tuning_operator.api.sentences import one_line, shown
from tuning_operator.api.stopping import FailedTrials, Stopping, Suspend, Suspension
from tuning_operator.api.strategies import why_nothing_changes
from tuning_operator.api.trial_metrics import MetricName
from tuning_operator.api.trial_template import Trial, references

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


_INHERITS = f"(self.search.sampler.name in [{', '.join(repr(name.value) for name in INHERITING)}])"
_NO_CHECKPOINTS = (
    "`search.sampler` is a strategy whose trials go on from other trials' checkpoints, but `trial.checkpoints` "
    "names no volume for them; add it, or take another sampler"
)
_NOTHING_TO_SEARCH = (
    "`parameters` is empty, so that there is nothing to search; name some, or write `defineByRun: true` if the trials' "
    "code names them"
)
_TWO_JUDGES = (
    "`search.sampler` is a strategy that itself decides which trials go on, so that `search.pruner` can only be None "
    "or Threshold; remove it, or take another sampler"
)


class StudySpec(ResourceModel):
    """What to tune, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel(
                    "self.parallelism <= self.maxTrials",
                    "`parallelism` is above `maxTrials`; lower it or raise `maxTrials`",
                    ".parallelism",
                ),
                cel(
                    "self.parameters.all(p, !has(p.when) || self.parameters.exists(q, q.name == p.when.parameter))",
                    "`when.parameter` names a parameter that is not in `parameters`; add it or correct the name",
                    ".parameters",
                ),
                cel("self.parameters.size() > 0 || self.defineByRun", _NOTHING_TO_SEARCH, ".parameters"),
                *BY_RUN_RULES,
                cel(f"!{_INHERITS} || has(self.trial.checkpoints)", _NO_CHECKPOINTS, ".trial"),
                cel(f"!{_INHERITS} || self.search.pruner.name in ['None', 'Threshold']", _TWO_JUDGES, ".search"),
                *several_objectives.RULES,
            ]
        }
    )

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
    def _metrics_of_objectives_differ(self) -> StudySpec:
        seen: set[str] = set()
        for objective in self.objectives:
            if objective.metric in seen:
                raise ValueError(f"the metric `{one_line(objective.metric)}` stands twice in `objectives`; remove one")
            seen.add(objective.metric)
        return self

    @model_validator(mode="after")
    def _constrained_metrics_differ(self) -> StudySpec:
        seen: set[str] = set()
        for constraint in self.metric_constraints:
            if constraint.metric in seen:
                raise ValueError(
                    f"the metric `{one_line(constraint.metric)}` stands twice in `metricConstraints`; give one entry "
                    "both `max` and `min`"
                )
            seen.add(constraint.metric)
        return self

    @model_validator(mode="after")
    def _gp_knows_how_far_all_trials_are_off(self) -> StudySpec:
        if self.search.sampler.name is SamplerName.GP and self.search.warm_start and self.metric_constraints:
            raise ValueError(
                "GP can't learn from `search.warmStart` with `metricConstraints`, for which those trials have no "
                "values; take TPE, NSGAII or NSGAIII, or remove one of the two"
            )
        return self

    @model_validator(mode="after")
    def _several_objectives_are_understood(self) -> StudySpec:
        problem = several_objectives.why_not_together(len(self.objectives), self.search, self.stopping)
        if problem is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _there_is_something_to_search(self) -> StudySpec:
        if not self.define_by_run:
            if not self.parameters:
                raise ValueError(_NOTHING_TO_SEARCH)
            return self
        if (problem := why_not_by_run(self.search, bool(self.parameters))) is not None:
            raise ValueError(problem)
        if self.trial.metrics.read_from_logs is not None:
            raise ValueError(WITH_LOGS)
        return self

    @model_validator(mode="after")
    def _parameter_names_differ(self) -> StudySpec:
        seen: set[str] = set()
        for parameter in self.parameters:
            if parameter.name in seen:
                raise ValueError(f"the parameter `{parameter.name}` stands twice in `parameters`; rename or remove one")
            seen.add(parameter.name)
        return self

    @model_validator(mode="after")
    def _conditions_are_sound(self) -> StudySpec:
        if (problem := why_conditions_fail(self.parameters)) is not None:
            raise ValueError(problem)
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
                if name not in parameters and self.define_by_run:
                    continue  # whether the code ever names it is not known
                if name not in parameters:
                    raise ValueError(
                        f"`search.enqueue[{index}]` names `{name}`, which is not in `parameters`; remove it"
                    )
                if not parameters[name].contains(value):
                    raise ValueError(
                        f"`search.enqueue[{index}].{name}` is {shown(value)}, which lies outside of the parameter's "
                        "values; change it or widen the parameter"
                    )
            known = {name: value for name, value in trial.items() if name in parameters}
            if (problem := why_not_given_together(known, parameters)) is not None:
                raise ValueError(f"`search.enqueue[{index}]` {problem}")
        return self

    @model_validator(mode="after")
    def _constraints_are_sound(self) -> StudySpec:
        constraints = Constraints(self.constraints, self.parameters)
        for index, trial in enumerate(self.search.enqueue if constraints else ()):
            if violated := constraints.why_given_violates(trial):
                raise ValueError(f"`search.enqueue[{index}]` violates the constraint {violated}; change one of them")
        return self

    @model_validator(mode="after")
    def _a_grid_is_finite(self) -> StudySpec:
        sampler, options = self.search.sampler, self.search.sampler.parsed_options()
        for parameter in self.parameters:
            if sampler.name is SamplerName.BRUTE_FORCE and parameter.is_continuous:
                raise ValueError(f"BruteForce can't try every value of `{parameter.name}`; give it a `step`")
            is_log = parameter.scale is not None and parameter.scale.is_logarithmic
            if isinstance(options, GridOptions) and not options.points and (parameter.is_continuous or is_log):
                raise ValueError(
                    f"Grid can't try every value of `{parameter.name}`; give it a `step` on a Linear scale, "
                    "or the sampler the option `points`"
                )
        return self

    @model_validator(mode="after")
    def _cma_es_has_numbers(self) -> StudySpec:
        numbers = (ParameterType.FLOAT, ParameterType.INT)
        searched = [p for p in self.parameters if p.type in numbers and p.when is None and p.low != p.high]
        if self.search.sampler.name is SamplerName.CMA_ES and not searched:
            raise ValueError(
                "CMAES searches only Float and Int parameters that every trial has, and there are none; "
                "take another sampler"
            )
        return self

    @model_validator(mode="after")
    def _strategies_have_what_they_need(self) -> StudySpec:
        if self.search.sampler.name.inherits_checkpoints:
            if self.trial.checkpoints is None:
                raise ValueError(_NO_CHECKPOINTS)
            if self.search.pruner.name not in (PrunerName.NONE, PrunerName.THRESHOLD):
                raise ValueError(_TWO_JUDGES)
        if (problem := why_nothing_changes(self.search.sampler.parsed_options(), self.parameters)) is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _wilcoxon_has_runs_to_compare(self) -> StudySpec:
        options = self.search.pruner.parsed_options()
        if isinstance(options, WilcoxonOptions) and (problem := options.why_useless(self.trial.runs)) is not None:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _logs_can_have_the_metrics(self) -> StudySpec:
        for metric in self.measured:
            if (problem := self.trial.metrics.why_unseen(metric)) is not None:
                raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _references_name_parameters(self) -> StudySpec:
        parameters = {parameter.name: parameter for parameter in self.parameters}
        for name in references(self.trial.template):
            if name not in parameters:
                raise ValueError(
                    f"`trial.template` uses $(PARAM_{one_line(name)}), which names no parameter; "
                    "add it to `parameters` or correct the name"
                )
            if parameters[name].when is not None and parameters[name].otherwise is None:
                raise ValueError(
                    f"`trial.template` uses $(PARAM_{name}), but not every trial has `{name}`; "
                    "say by `otherwise` in its `when` what the others use, or read it from TUNING_PARAMETERS"
                )
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
