"""What pauses a study and what ends it early."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, Strict

from tuning_operator.api.model import ResourceModel


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
    """How many failures a study puts up with."""

    total: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Failed trials in all that end the study."""
    consecutive: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Failed trials one after the other, in the order of their ends, that end the study."""


class Stopping(ResourceModel):
    """When a study ends before `maxTrials`; the first rule to hold ends it."""

    failed_trials: FailedTrials | None = None
    """Ends the study as Failed after too many failed trials."""
    on_end: Annotated[Suspension, Strict(False)] = Suspension.DRAIN
    """When a rule ends the study, running trials finish (Drain) or are deleted (Terminate)."""
