"""The status of a TuningStudy: what the operator answers. Its size is bounded, whatever the number of trials."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, Strict

from tuning_operator.api.model import ResourceModel, list_map
from tuning_operator.api.scalars import Scalar

MAX_FRONT = 20
"""Trials of the Pareto front that the status lists."""

MAX_RECENT = 10
"""Finished trials that the status lists."""


def _cut_to(length: int) -> BeforeValidator:
    def cut(text: Any) -> Any:
        return text[: length - 1] + "…" if isinstance(text, str) and len(text) > length else text

    return BeforeValidator(cut)


Text = Annotated[str, _cut_to(256), Field(max_length=256)]
"""A word or a path."""
Message = Annotated[str, _cut_to(1024), Field(max_length=1024)]
"""A sentence. What is longer (a log's tail, an error of the API server) is cut: a summary must never be refused."""
Time = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
"""RFC 3339."""
Count = Annotated[int, Field(ge=0)]


def _finite(value: Any) -> Any:
    return value if not isinstance(value, float) or math.isfinite(value) else None


class Phase(StrEnum):
    """One word for people, derived from the conditions alone."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    STOPPING = "Stopping"
    COMPLETE = "Complete"
    FAILED = "Failed"
    REFUSED = "Refused"


class ConditionType(StrEnum):
    """What a condition speaks of."""

    ACCEPTED = "Accepted"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"
    DEGRADED = "Degraded"


class Condition(ResourceModel):
    """One observation of the study, in the form of Kubernetes' metav1.Condition."""

    type: Annotated[ConditionType, Strict(False)]
    """What it speaks of."""
    status: Literal["True", "False", "Unknown"]
    """Whether that holds."""
    observed_generation: Count = 0
    """The generation of `spec` that it was made from."""
    last_transition_time: Time
    """When `status` last changed."""
    reason: Text
    """A CamelCase word."""
    message: Annotated[str, _cut_to(32_768), Field(max_length=32_768)] = ""
    """A sentence."""


class TrialCounts(ResourceModel):
    """How many trials are where."""

    total: Count = 0
    """Asked for so far."""
    waiting: Count = 0
    """Asked for, without a Job."""
    pending: Count = 0
    """With a Job, without a running pod."""
    running: Count = 0
    """With a running pod, or with a report."""
    complete: Count = 0
    """Ended with a value."""
    pruned: Count = 0
    """Ended early, because others were better."""
    failed: Count = 0
    """Ended without a value."""


class BestTrial(ResourceModel):
    """The best complete trial of a study with one objective."""

    model_config = ConfigDict(extra="ignore")  # earlier versions wrote the value as a text, too

    number: Count
    """The trial's number, from 0."""
    value: float
    """The objective."""
    values: Annotated[dict[Text, float], Field(max_length=32)] = Field(default_factory=dict)
    """The objective by its metric's name, and metrics that have a constraint."""
    std: float | None = None
    """Standard deviation of the objective over the trial's runs; only where it has several."""
    parameters: Annotated[dict[Text, Scalar], Field(max_length=200)]
    """Its parameters by name."""
    job: Text = ""
    """Name of its last Job."""
    infeasible: Message = ""
    """Which `metricConstraints` it does not keep; unset: it keeps all."""


class FrontTrial(ResourceModel):
    """A complete trial that no other one is better than in all objectives."""

    number: Count
    """The trial's number, from 0."""
    values: Annotated[dict[Text, float], Field(max_length=32)] = Field(default_factory=dict)
    """The objectives by their metrics' names, and metrics that have a constraint."""
    parameters: Annotated[dict[Text, Scalar], Field(max_length=200)]
    """Its parameters by name; of spaces with more than 24 they are left out, the read API has them."""
    job: Text = ""
    """Name of its last Job."""
    infeasible: Message = ""
    """Which `metricConstraints` it does not keep; unset: it keeps all."""


class ObjectiveStatus(ResourceModel):
    """How far one of several objectives is."""

    metric: Text
    """Its metric."""
    best: float
    """The best value, of the trials on the front."""
    number: Count
    """The trial that has it."""
    reference: float | None = None
    """Its part of the reference point, down to which the hypervolume reaches."""


class RecentTrial(ResourceModel):
    """A finished trial."""

    number: Count
    """The trial's number, from 0."""
    state: Literal["Complete", "Pruned", "Failed"]
    """How it ended."""
    value: Annotated[float | None, BeforeValidator(_finite)] = None
    """The first objective, as far as it was reported; what JSON can't hold (a diverged training's NaN) is left out."""
    values: Annotated[dict[Text, float], Field(max_length=32)] = Field(default_factory=dict)
    """Of several objectives each by its metric's name, and metrics that have a constraint."""
    parameters: Annotated[dict[Text, Scalar], Field(max_length=200)]
    """Its parameters by name."""
    duration: Text = ""
    """From its first report or running pod to its end, like 1m30s or 0.3s."""
    reason: Text = ""
    """Why it ended so: a CamelCase word."""
    message: Message = ""
    """The same as a sentence."""
    job: Text = ""
    """Name of its last Job."""


class Usage(ResourceModel):
    """What the study has used."""

    gpu_hours: float = 0.0
    """GPUs requested times hours with a running pod, over all attempts, the running ones included."""
    trial_hours: float = 0.0
    """Hours with a running pod, over all attempts, the running ones included."""


class StudyStatus(ResourceModel):
    """What the operator knows of a study."""

    observed_generation: Count = 0
    """The generation of `spec` that this status answers."""
    phase: Annotated[Phase, Strict(False)] = Phase.PENDING
    """One word for people."""
    conditions: Annotated[list[Condition], Field(max_length=16, json_schema_extra=list_map("type"))] = Field(
        default_factory=list
    )
    """Accepted, Running, Suspended, Complete, Failed and Degraded, with reasons."""
    start_time: Time | None = None
    """When the first trial was asked for; from then on most of `spec` can't be changed."""
    completion_time: Time | None = None
    """When the study ended."""
    progress: Text = ""
    """Ended trials and `maxTrials`, like 30/100."""
    trials: TrialCounts = TrialCounts()
    """How many trials are where."""
    result: Text = ""
    """What was found, for a column: the best value in six digits, or how many trials the front has."""
    best: BestTrial | None = None
    """The best complete trial of a study with one objective, once there is one."""
    front: Annotated[list[FrontTrial], Field(max_length=MAX_FRONT)] = Field(default_factory=list)
    """Of several objectives: the trials that no other one is better than in all. Of many, the best in each objective
    and others that are far from one another."""
    front_size: Count | None = None
    """How many there are."""
    hypervolume: Annotated[float | None, BeforeValidator(_finite)] = None
    """Of two or three objectives: the volume of what the front is better than, down to the reference point."""
    objectives: Annotated[list[ObjectiveStatus], Field(max_length=8)] = Field(default_factory=list)
    """Of several objectives: the best value of each."""
    recent: Annotated[list[RecentTrial], Field(max_length=MAX_RECENT)] = Field(default_factory=list)
    """The trials that ended last, the newest first."""
    usage: Usage = Usage()
    """What the study has used."""
    planned_trainings: Count = 0
    """Trainings that the whole study takes, so that its cost is seen before it is paid."""
    planned_epochs: Count | None = None
    """Epochs (steps) of all trials and their runs that a strategy lays down; absent where results lead the search."""
    read_token: Text = ""
    """Opens this study's trials at the operator's read API."""

    def condition(self, kind: ConditionType) -> Condition | None:
        """Return the condition of a type, if it is there."""
        return next((condition for condition in self.conditions if condition.type is kind), None)

    def is_true(self, kind: ConditionType) -> bool:
        """Return whether the condition is there with status True."""
        condition = self.condition(kind)
        return condition is not None and condition.status == "True"


def read_status(document: Any) -> StudyStatus:
    """Return the status that an object carries; one that can't be read counts as none, for it is only a summary."""
    try:
        return StudyStatus.model_validate(document or {})
    except ValueError:
        return StudyStatus()
