"""The classes of failures, and which of them are tried again."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, Strict

from tuning_operator.api.model import ResourceModel


class FailureClass(StrEnum):
    """Why an attempt failed: the reason of a failed trial, in its status, its log line and its metrics."""

    PREEMPTED = "Preempted"
    """A pod of higher priority needed its place."""
    EVICTED = "Evicted"
    """Its pod was evicted, or terminated from outside: a drained node, a node out of memory or disk, a deleted pod."""
    NODE_LOST = "NodeLost"
    """Its node vanished or became unreachable."""
    OUT_OF_MEMORY = "OutOfMemory"
    """The kernel killed the training container at its memory limit."""
    ERROR = "Error"
    """The training failed by itself."""
    IMAGE_PROBLEM = "ImageProblem"
    """The image could not be pulled before `deadlines.start`."""
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    """No pod was running by `deadlines.start`, for another reason than its image."""
    RUN_DEADLINE_EXCEEDED = "RunDeadlineExceeded"
    """It ran longer than `deadlines.run`."""
    SILENT = "Silent"
    """It reported nothing for `deadlines.silence`."""
    REPORTS_LOST = "ReportsLost"
    """The trainer could not deliver its reports."""
    LOG_LOST = "LogLost"
    """Its log, which its metrics are read from, could not be read to its end."""
    TOO_MANY_STEPS = "TooManySteps"
    """Its log, which its metrics are read from, has more steps than are kept of a trial."""
    JOB_LOST = "JobLost"
    """Its Job was deleted while it ran."""
    NO_OBJECTIVE = "NoObjective"
    """It ended without a value of the objective."""
    NOT_FINITE = "NotFinite"
    """The objective became NaN or infinite."""


DISRUPTIONS = frozenset({FailureClass.PREEMPTED, FailureClass.EVICTED, FailureClass.NODE_LOST})
"""What is nobody's fault: such failures count neither towards `retries.limit` nor towards `stopping.failedTrials`."""

MOST_DISRUPTIONS = 100
"""Disruptions after which a trial is given up."""


RETRIED = [*sorted(DISRUPTIONS), FailureClass.REPORTS_LOST, FailureClass.LOG_LOST, FailureClass.JOB_LOST]
"""What is tried again by default: the training's own errors mostly come again."""


class Retries(ResourceModel):
    """Which failed attempts are tried again: same trial, same parameters, from its last checkpoint."""

    limit: Annotated[int, Field(ge=0, le=100)] = 3
    """Retries of a trial. Disruptions (Preempted, Evicted, NodeLost) do not use it up; 100 of them end a trial."""
    reasons: Annotated[list[Annotated[FailureClass, Strict(False)]], Field(max_length=len(FailureClass))] = RETRIED
    """Reasons of failed attempts that are tried again; an empty list: none."""
