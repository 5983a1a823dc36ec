"""What keeps trials from running, by kind: for the metric, and for people in the condition Degraded."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from tuning_operator.decisions.failure import is_image_problem
from tuning_operator.decisions.retrying import is_due
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.trial_state import has_reported


class HoldUp(StrEnum):
    """Why a trial is not running."""

    QUEUED = "Queued"
    """A queue holds its Job back."""
    RETRYING = "Retrying"
    """It waits for its next attempt."""
    UNSCHEDULABLE = "Unschedulable"
    """Its pod fits on no node now."""
    IMAGE_PROBLEM = "ImageProblem"
    """Its image can't be pulled."""
    POD_REFUSED = "PodRefused"
    """Its Job can't create the pod: a quota, an admission policy, a missing ServiceAccount."""
    OTHER = "Other"
    """The cluster gives another reason."""


def hold_ups(snapshot: Snapshot) -> Counter[HoldUp]:
    """Return how many trials are held up for which reason; those whose pods are on their way are not."""
    queued = (job for job in snapshot.jobs if job.phase is JobPhase.SUSPENDED)
    counts = Counter(_of_job(job) for job in (*queued, *held_up_jobs(snapshot)))
    counts[HoldUp.RETRYING] = sum(not is_due(trial, snapshot.now) for trial in snapshot.history.open)
    return counts


def held_up_jobs(snapshot: Snapshot) -> list[TrialJob]:
    """Return the Jobs of open trials whose pods something keeps from running that is no queue.

    A report proves a running pod before the Job's status does.
    """
    trials = {(trial.number, trial.attempt): trial for trial in snapshot.history.open}
    waiting = (job for job in snapshot.jobs if job.phase is JobPhase.PENDING and job.message and not job.deleting)
    of_trials = ((job, trials.get((job.trial, job.attempt))) for job in waiting)
    return [job for job, trial in of_trials if trial is not None and not has_reported(trial, job)]


def _of_job(job: TrialJob) -> HoldUp:
    if job.phase is JobPhase.SUSPENDED:
        return HoldUp.QUEUED
    if job.message.startswith("Unschedulable"):
        return HoldUp.UNSCHEDULABLE
    if job.message.startswith("FailedCreate"):
        return HoldUp.POD_REFUSED
    return HoldUp.IMAGE_PROBLEM if is_image_problem(job.message) else HoldUp.OTHER
