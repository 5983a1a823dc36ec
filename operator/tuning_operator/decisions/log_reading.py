"""Metrics from logs: which logs are to be read, and what waits for that."""

from __future__ import annotations

from tuning_operator.decisions.failure import Failure
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.trials import OpenTrial


def logs_to_read(snapshot: Snapshot) -> tuple[TrialJob, ...]:
    """Return the Jobs whose logs are to be read: those of the open trials' newest attempts that had a pod."""
    if snapshot.spec.trial.metrics.read_from_logs is None:
        return ()
    newest = {(trial.number, trial.attempt) for trial in snapshot.history.open}
    started = (
        job for job in snapshot.jobs if job.phase not in (JobPhase.SUSPENDED, JobPhase.PENDING) and not job.deleting
    )
    return tuple(job for job in started if (job.trial, job.attempt) in newest)


def awaits_log(trial: OpenTrial, snapshot: Snapshot) -> bool:
    """Return whether a trial is not to be judged yet: its container has ended, but the end of its log was not read.

    Whoever reads logs gives up on one that can't be read, so this does not last for ever.
    """
    from_logs = snapshot.spec.trial.metrics.read_from_logs is not None
    return from_logs and (trial.number, trial.attempt) not in snapshot.read_logs


def log_failure_of(trial: OpenTrial, snapshot: Snapshot) -> Failure | None:
    """Return why a trial's log could not be read to its end; None: it was, or may still be."""
    return snapshot.read_logs.get((trial.number, trial.attempt))
