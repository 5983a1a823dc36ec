"""Whether an open trial has ended, and how. The first rule to hold says so."""

from __future__ import annotations

import math

from tuning_contract import FinalState
from tuning_operator.api.durations import seconds_of
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import Outcome
from tuning_operator.decisions.failure import failure_of
from tuning_operator.decisions.log_reading import awaits_log, why_lost
from tuning_operator.decisions.snapshot import EndState, JobPhase, OpenTrial, Snapshot, TrialJob


def outcome_of(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """Return how a trial ended; None: it goes on, or waits for a Job.

    `job` is the Job of the trial's newest attempt, if it exists.
    """
    for rule in (_by_last_message, _by_lost_log, _by_finished_job, _by_lost_job, _by_ignored_stop, _by_deadline):
        outcome = rule(trial, job, snapshot)
        if outcome is not None:
            return outcome
    return None


def given_up(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot, why: str) -> Outcome:
    """Return the end of a trial that the study's early end leaves no time; it did not fail, so it counts as pruned."""
    return _outcome(trial, job, snapshot, EndState.PRUNED, "StudyEnded", f"the study ended: {why}")


def next_check_of(trial: OpenTrial, job: TrialJob | None, spec: StudySpec) -> float | None:
    """Return when a rule may hold next although nothing happens; seconds since 1970."""
    if job is None:
        return _lost_due(trial)
    if not job.is_active:
        return None
    dues = (_start_due(trial, job, spec), _run_due(job, spec), _stop_due(trial, spec))
    times = [due for due in dues if due is not None]
    return min(times, default=None)


def _outcome(
    trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot, state: EndState, reason: str, message: str = ""
) -> Outcome:
    value = trial.value if state is not EndState.FAILED else None
    if value is not None and not math.isfinite(value):
        value = None
    seconds = job.running_seconds(snapshot.now) if job else _reporting_seconds(trial)
    return Outcome(trial.number, state, value, reason, message[:1024], max(seconds, _reporting_seconds(trial)))


def _reporting_seconds(trial: OpenTrial) -> float:
    """A trial's end is seen before its Job is: the reports bound the running time from below."""
    if trial.first_report_at is None or trial.last_report_at is None:
        return 0.0
    return trial.last_report_at - trial.first_report_at


def _judged(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome:
    """The trial ran to its end: its reports say what it is worth."""
    metric = snapshot.spec.objective.metric
    if trial.value is None:
        reported = f"it reported {', '.join(trial.metrics)}" if trial.metrics else "it reported nothing"
        message = (
            f"the trial ended without a value of `{metric}`: {reported}; report that metric or change `objectives`"
        )
        return _outcome(trial, job, snapshot, EndState.FAILED, "NoObjective", message)
    if not math.isfinite(trial.value):
        return _not_finite(trial, job, snapshot)
    return _outcome(trial, job, snapshot, EndState.COMPLETE, "Complete")


def _not_finite(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome:
    metric = snapshot.spec.objective.metric
    message = f"`{metric}` became {trial.value} at step {trial.last_step}: the training diverged"
    return _outcome(trial, job, snapshot, EndState.FAILED, "NotFinite", message)


def _pruned(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome:
    if trial.value is not None and not math.isfinite(trial.value):
        return _not_finite(trial, job, snapshot)
    after = "" if trial.last_step is None else f"after step {trial.last_step}"
    return _outcome(trial, job, snapshot, EndState.PRUNED, "Pruned", after)


def _by_last_message(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    if trial.end is None:
        return None
    if trial.end.state is FinalState.COMPLETE:
        return _judged(trial, job, snapshot)
    if trial.end.state is FinalState.PRUNED:
        return _pruned(trial, job, snapshot)
    return _outcome(trial, job, snapshot, EndState.FAILED, "TrainingFailed", trial.end.message)


def _by_finished_job(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    if job is None or job.is_active:
        return None
    if trial.prune_decided_at is not None:
        return _pruned(trial, job, snapshot)
    if job.phase is JobPhase.COMPLETE:
        return None if awaits_log(trial, snapshot) else _judged(trial, job, snapshot)
    return _outcome(trial, job, snapshot, EndState.FAILED, *failure_of(job))


def _by_lost_log(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """A trial is never judged by a part of what it printed; if it failed or was pruned, the rest does not matter."""
    why = why_lost(trial, snapshot)
    if not why or job is None or job.phase is JobPhase.FAILED or trial.prune_decided_at is not None:
        return None
    message = f"the log of Job {job.name} could not be read to its end: {why}"
    return _outcome(trial, job, snapshot, EndState.FAILED, "LogLost", message)


def _by_lost_job(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """A trial without a Job is launched, unless its Job was there: somebody deleted it."""
    if job is not None:
        return None
    due = _lost_due(trial)
    vanished = (trial.number, trial.attempt) in snapshot.vanished
    if not vanished and (due is None or snapshot.now < due):
        return None
    if trial.prune_decided_at is not None:
        return _pruned(trial, job, snapshot)
    return _outcome(trial, job, snapshot, EndState.FAILED, "JobLost", "its Job vanished while the trial was running")


def _by_ignored_stop(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    due = _stop_due(trial, snapshot.spec)
    return _pruned(trial, job, snapshot) if due is not None and snapshot.now >= due else None


def _by_deadline(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    if job is None:
        return None
    start, run = _start_due(trial, job, snapshot.spec), _run_due(job, snapshot.spec)
    if start is not None and snapshot.now >= start:
        waited = f"no pod of Job {job.name} was running after {snapshot.spec.trial.deadlines.start}"
        why = f": {job.message}" if job.message else ""
        return _outcome(trial, job, snapshot, EndState.FAILED, "StartDeadlineExceeded", waited + why)
    if run is not None and snapshot.now >= run:
        message = f"Job {job.name} still ran after {snapshot.spec.trial.deadlines.run}"
        return _outcome(trial, job, snapshot, EndState.FAILED, "RunDeadlineExceeded", message)
    return None


def _start_due(trial: OpenTrial, job: TrialJob, spec: StudySpec) -> float | None:
    """A pod that reported, or was seen running, has started, whatever its readiness says now."""
    if job.phase is not JobPhase.PENDING or job.running_at is not None or trial.first_report_at is not None:
        return None
    return _due(job.created_at, spec.trial.deadlines.start)


def _run_due(job: TrialJob, spec: StudySpec) -> float | None:
    return _due(job.running_at, spec.trial.deadlines.run) if job.phase is JobPhase.RUNNING else None


LOST_SECONDS = 60.0
"""A trial that reports is not lost although its Job has not been seen: after its last report the watch has so long."""


def _lost_due(trial: OpenTrial) -> float | None:
    """When a trial without a Job that reported counts as lost."""
    return None if trial.last_report_at is None else trial.last_report_at + LOST_SECONDS


def _stop_due(trial: OpenTrial, spec: StudySpec) -> float | None:
    """When the patience with a trial ends that was told to stop: it was pruned, or its objective is not finite."""
    not_finite = trial.value is not None and not math.isfinite(trial.value)
    since = trial.prune_decided_at
    if since is None and not_finite:
        since = trial.last_report_at
    return None if since is None else since + spec.trial.stop_grace_seconds


def _due(since: float | None, duration: str | None) -> float | None:
    return None if since is None or duration is None else since + seconds_of(duration)
