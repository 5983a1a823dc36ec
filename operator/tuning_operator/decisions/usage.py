"""What a study has used of time and GPUs, and when that meets a budget."""

from __future__ import annotations

from dataclasses import dataclass

from tuning_operator.api.durations import seconds_of
from tuning_operator.decisions.gpus import gpus_of_trial
from tuning_operator.decisions.pod_time import attempt_seconds
from tuning_operator.decisions.seen_jobs import JobPhase
from tuning_operator.decisions.snapshot import Snapshot


@dataclass(frozen=True)
class Usage:
    """What all trials, the open ones included, have used so far."""

    active_seconds: float
    """Time in which the study was neither suspended nor ended."""
    trial_seconds: float
    """With a running pod, over all trials and attempts."""
    gpus: int
    """GPUs that a trial's pods hold."""

    @property
    def gpu_seconds(self) -> float:
        """GPUs requested times seconds with a running pod."""
        return self.trial_seconds * self.gpus


def usage_of(snapshot: Snapshot) -> Usage:
    """Return what a study has used up to now."""
    history, now = snapshot.history, snapshot.now
    jobs = {(job.trial, job.attempt): job for job in snapshot.jobs}
    of_open = (
        trial.earlier.running_seconds + attempt_seconds(trial, jobs.get((trial.number, trial.attempt)), now)
        for trial in history.open
    )
    return Usage(
        active_seconds=history.active.seconds_at(now),
        trial_seconds=history.running_seconds + sum(of_open),
        gpus=gpus_of_trial(snapshot.spec.trial),
    )


def budget_ends_at(snapshot: Snapshot, usage: Usage) -> float | None:
    """Return when a budget is used up although nothing happens; seconds since 1970."""
    stopping, now, dues = snapshot.spec.stopping, snapshot.now, []
    if stopping.duration is not None and snapshot.history.active.since is not None:
        dues.append(now + seconds_of(stopping.duration) - usage.active_seconds)
    counted = {(trial.number, trial.attempt) for trial in snapshot.history.open}
    running = (job for job in snapshot.jobs if job.phase is JobPhase.RUNNING)
    rate = usage.gpus * sum((job.trial, job.attempt) in counted for job in running)
    if stopping.gpu_hours is not None and rate:
        dues.append(now + (stopping.gpu_hours * 3600 - usage.gpu_seconds) / rate)
    return min((due for due in dues if due > now), default=None)
