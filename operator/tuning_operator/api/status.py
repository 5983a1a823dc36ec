"""The status of a TuningStudy: what the operator answers. Its size is bounded, whatever the number of trials."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.parameters import Scalar

MAX_RECENT = 10
"""Finished trials that the status lists."""


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

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    observed_generation: int = 0
    last_transition_time: str
    """RFC 3339, when `status` last changed."""
    reason: Annotated[str, Field(max_length=1024)]
    """A CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """A sentence."""


class TrialCounts(ResourceModel):
    """How many trials are where."""

    total: int = 0
    waiting: int = 0
    """Asked for, without a Job."""
    pending: int = 0
    """With a Job, without a running pod."""
    running: int = 0
    complete: int = 0
    pruned: int = 0
    failed: int = 0


class BestTrial(ResourceModel):
    """The best complete trial."""

    number: int
    value: float
    values: dict[str, float] = Field(default_factory=dict)
    """The objective by its metric's name."""
    parameters: dict[str, Scalar]
    job: str = ""


class RecentTrial(ResourceModel):
    """A finished trial."""

    number: int
    state: Literal["Complete", "Pruned", "Failed"]
    value: float | None = None
    parameters: dict[str, Scalar]
    duration: str = ""
    """From its first report or running pod to its end, like 1m30s."""
    reason: str = ""
    message: str = ""
    job: str = ""


class Usage(ResourceModel):
    """What the study has used."""

    gpu_hours: float = 0.0
    """GPUs requested times hours with a running pod, of ended trials."""
    trial_hours: float = 0.0
    """Hours with a running pod, of ended trials."""


class StudyStatus(ResourceModel):
    """What the operator knows of a study."""

    observed_generation: int = 0
    """The generation of `spec` that this status answers."""
    phase: Phase = Phase.PENDING
    """One word for people."""
    conditions: list[Condition] = Field(default_factory=list)
    start_time: str | None = None
    """When the first trial was asked for; from then on most of `spec` can't be changed."""
    completion_time: str | None = None
    progress: str = ""
    """Ended trials and `maxTrials`, like 30/100."""
    trials: TrialCounts = TrialCounts()
    best: BestTrial | None = None
    recent: Annotated[list[RecentTrial], Field(max_length=MAX_RECENT)] = Field(default_factory=list)
    """The trials that ended last, the newest first."""
    usage: Usage = Usage()
    planned_trainings: int = 0
    """Trainings that the whole study takes, so that its cost is seen before it is paid."""
    read_token: str = ""
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
