"""What pauses a study and what ends it early."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, Strict

from tuning_operator.api.durations import Duration
from tuning_operator.api.model import ResourceModel
from tuning_operator.api.scalars import NonNegativeNumber, PositiveNumber


class Suspension(StrEnum):
    """What becomes of running trials."""

    DRAIN = "Drain"
    TERMINATE = "Terminate"


class Suspend(ResourceModel):
    """Pauses a study."""

    enabled: bool = False
    """true pauses the study, false lets it go on."""
    mode: Annotated[Suspension, Strict(False)] = Suspension.DRAIN
    """Drain: running pods finish, Jobs without one are deleted. Terminate: all are deleted. Their trials wait."""


class FailedTrials(ResourceModel):
    """How many failures a study puts up with; trials that a disruption ended do not count."""

    total: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Failed trials in all that end the study."""
    consecutive: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Failed trials one after the other, in the order of their ends, that end the study."""


class Plateau(ResourceModel):
    """When the search has stopped finding anything better."""

    trials: Annotated[int, Field(ge=1, le=1_000_000)]
    """Complete and pruned trials one after the other, none of which is better by `minImprovement`."""
    min_improvement: NonNegativeNumber = 0
    """How much better than the best before a value must be, in the objective's own unit; with several objectives, what
    must be added to the hypervolume, as a share of it."""


class Stopping(ResourceModel):
    """When a study ends before `maxTrials`; the first rule to hold ends it. All of it can be changed at any time."""

    duration: Duration | None = None
    """Active time after which the study ends: from its first trial on, without the time in which it is suspended."""
    gpu_hours: PositiveNumber | None = None
    """GPU hours after which the study ends: GPUs requested times hours with a running pod, over all attempts."""
    failed_trials: FailedTrials | None = None
    """Ends the study as Failed after too many failed trials."""
    plateau: Plateau | None = None
    """Ends the study when the search has stopped finding anything better."""
    now: Annotated[Suspension, Strict(False)] | None = None
    """Set by a person to end the study now: running trials finish (Drain) or are deleted (Terminate)."""
    trials: Annotated[list[Annotated[int, Field(ge=0, le=1_000_000)]], Field(max_length=1000)] = Field(
        default_factory=list
    )
    """Numbers of trials that a person stops: they end as pruned, and their Jobs are deleted."""
    on_end: Annotated[Suspension, Strict(False)] = Suspension.DRAIN
    """When a rule ends the study, running trials finish (Drain) or are deleted (Terminate)."""
