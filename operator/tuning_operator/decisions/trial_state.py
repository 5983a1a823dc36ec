"""How far an open trial is, in the words of the status."""

from __future__ import annotations

from enum import StrEnum

from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.trials import OpenTrial


class TrialState(StrEnum):
    """Where an open trial is."""

    WAITING = "Waiting"
    """Without a Job, or with one that a queue holds back: asked for, suspended, or between attempts."""
    PENDING = "Pending"
    """With a Job, without a running pod."""
    RUNNING = "Running"


def state_of(trial: OpenTrial, job: TrialJob | None) -> TrialState:
    """Return where an open trial is; `job` is the Job of its newest attempt.

    A report proves a running pod before the Job's status does.
    """
    if job is None or job.phase is JobPhase.SUSPENDED:
        return TrialState.WAITING
    if job.phase is JobPhase.PENDING and not has_reported(trial, job):
        return TrialState.PENDING
    return TrialState.RUNNING


def has_reported(trial: OpenTrial, job: TrialJob) -> bool:
    """Return whether a trial reported from its Job's pod, and not only from one that a queue took away before."""
    if trial.last_report_at is None or job.released_at is None:
        return trial.last_report_at is not None
    return trial.last_report_at >= job.released_at
