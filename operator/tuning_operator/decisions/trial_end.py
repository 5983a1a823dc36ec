"""Whether an open trial has ended, and how. The first rule to hold says so."""

from __future__ import annotations

from collections.abc import Sequence

from tuning_contract import FinalState
from tuning_operator.api.durations import seconds_of
from tuning_operator.api.retries import FailureClass
from tuning_operator.api.study import StudySpec, Suspension
from tuning_operator.api.trial_template import grace_seconds
from tuning_operator.decisions.actions import Outcome
from tuning_operator.decisions.failure import Failure, failure_of, start_failure_of
from tuning_operator.decisions.feasibility import why_infeasible
from tuning_operator.decisions.log_reading import awaits_log, log_failure_of
from tuning_operator.decisions.pod_time import attempt_seconds, pod_time
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.trial_state import has_reported
from tuning_operator.decisions.trial_value import all_finite, finite, known_values, objective_values
from tuning_operator.decisions.trials import EndState, OpenTrial


def outcome_of(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """Return how a trial ended; None: it goes on, or waits for a Job.

    `job` is the Job of the trial's newest attempt, if it exists.
    """
    for rule in _RULES:
        outcome = rule(trial, job, snapshot)
        if outcome is not None:
            return outcome
    return None


def given_up(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot, why: str) -> Outcome:
    """Return the end of a trial that the study's early end leaves no time; it did not fail, so it counts as pruned."""
    return _outcome(trial, job, snapshot, EndState.PRUNED, "StudyEnded", f"the study ended: {why}")


def stopped(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome:
    """Return the end of a trial that a person stopped."""
    return _outcome(trial, job, snapshot, EndState.PRUNED, "StoppedByUser", "`stopping.trials` names it")


def next_check_of(trial: OpenTrial, job: TrialJob | None, spec: StudySpec) -> float | None:
    """Return when a rule may hold next although nothing happens; seconds since 1970."""
    if job is None:
        return _lost_due(trial)
    if not job.is_active:
        return None
    dues = (
        _start_due(trial, job, spec),
        _run_due(trial, job, spec),
        _silence_due(trial, job, spec),
        _stop_due(trial, spec),
        _leave_due(job, spec),
    )
    times = [due for due in dues if due is not None]
    return min(times, default=None)


def _outcome(
    trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot, state: EndState, reason: str, message: str = ""
) -> Outcome:
    failed = state is EndState.FAILED
    seconds = attempt_seconds(trial, job, snapshot.now)
    return Outcome(
        number=trial.number,
        state=state,
        value=None if failed else finite(trial.value),
        further={} if failed else all_finite(trial.further),
        reason=reason,
        message=message[:1024],
        running_seconds=trial.earlier.running_seconds + seconds,
        attempt_seconds=seconds,
        queued_seconds=max(0.0, job.running_at - job.created_at) if job and job.running_at is not None else None,
        after=trial.last_words,
    )


def _failed(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot, failure: Failure) -> Outcome:
    reason, message = failure
    return _outcome(trial, job, snapshot, EndState.FAILED, reason.value, message)


def _judged(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome:
    """The trial ran to its end: its reports say what it is worth."""
    objectives = snapshot.spec.objectives
    known = objective_values(trial, objectives)
    missing = [objective.metric for objective in objectives if objective.metric not in known]
    if (mute := trial.mute_run) is not None:
        message = (
            f"run {mute.number} of the trial ended {_without(mute.missing)}; report {_those(mute.missing)} in each run"
        )
        return _failed(trial, job, snapshot, (FailureClass.NO_OBJECTIVE, message))
    if missing:
        reported = f"it reported {', '.join(trial.metrics)}" if trial.metrics else "it reported nothing"
        message = f"the trial ended {_without(missing)}: {reported}; report {_those(missing)} or change `objectives`"
        return _failed(trial, job, snapshot, (FailureClass.NO_OBJECTIVE, message))
    if not trial.is_finite:
        return _not_finite(trial, job, snapshot)
    notes = why_infeasible(known_values(trial, objectives), snapshot.spec.metric_constraints), _beyond_budget(trial)
    return _outcome(trial, job, snapshot, EndState.COMPLETE, "Complete", "; ".join(filter(None, notes)))


def _beyond_budget(trial: OpenTrial) -> str:
    """Return that a trial trained farther than its strategy meant it to; empty: it did not."""
    budget, last = trial.lineage.budget, trial.last_step
    if budget is None or last is None or last <= budget:
        return ""
    return f"it trained to step {last}, and its budget is {budget}: let the training end at TUNING_BUDGET"


def _without(missing: Sequence[str]) -> str:
    return f"without a value of {' and '.join(f'`{metric}`' for metric in missing)}"


def _those(missing: Sequence[str]) -> str:
    return "that metric" if len(missing) == 1 else "these metrics"


def _not_finite(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome:
    known = objective_values(trial, snapshot.spec.objectives)
    metric, value = next(item for item in known.items() if finite(item[1]) is None)
    message = f"`{metric}` became {value} at step {trial.last_step}: the training diverged"
    return _failed(trial, job, snapshot, (FailureClass.NOT_FINITE, message))


def _pruned(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome:
    if not trial.is_finite:
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
    return _failed(trial, job, snapshot, (FailureClass.ERROR, trial.end.message))


def _by_finished_job(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    if job is None or job.is_active or job.awaits_cause:
        return None
    if trial.prune_decided_at is not None:
        return _pruned(trial, job, snapshot)
    if job.phase is JobPhase.COMPLETE:
        return None if awaits_log(trial, snapshot) else _judged(trial, job, snapshot)
    return _failed(trial, job, snapshot, failure_of(job))


def _by_lost_log(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """A trial is never judged by a part of what it printed; if it failed or was pruned, the rest does not matter.

    One that printed too much would do so again: that it also failed, or was disrupted, is no reason to try it again.
    """
    failure = log_failure_of(trial, snapshot)
    if failure is None or job is None or trial.prune_decided_at is not None:
        return None
    reason, why = failure
    if reason is FailureClass.LOG_LOST and job.phase is JobPhase.FAILED:
        return None
    return _failed(trial, job, snapshot, (reason, f"the log of Job {job.name} could not be read to its end: {why}"))


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
    return _failed(trial, job, snapshot, (FailureClass.JOB_LOST, "its Job vanished while the trial was running"))


def _by_lost_node(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """A pod that was told to end and does not: its node is gone, and the Job would wait for it for ever."""
    due = None if job is None or not job.is_active or job.deleting else _leave_due(job, snapshot.spec)
    if due is None or job is None or snapshot.now < due:
        return None
    if trial.prune_decided_at is not None:
        return _pruned(trial, job, snapshot)
    message = f"the pod of Job {job.name} was told to end and did not: nothing is heard of its node"
    return _failed(trial, job, snapshot, (FailureClass.NODE_LOST, message))


def _by_stopped_runs(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """The runs that have not begun yet never do."""
    return _pruned(trial, job, snapshot) if trial.has_stopped else None


def _by_ignored_stop(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """A pod that was told to stop has its time for that, unless none is to run any more."""
    due, suspend = _stop_due(trial, snapshot.spec), snapshot.spec.suspend
    at_once = trial.prune_decided_at is not None and suspend.enabled and suspend.mode is Suspension.TERMINATE
    return _pruned(trial, job, snapshot) if at_once or (due is not None and snapshot.now >= due) else None


def _by_deadline(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    if job is None:
        return None
    spec, deadlines = snapshot.spec, snapshot.spec.trial.deadlines
    start, run, silence = _start_due(trial, job, spec), _run_due(trial, job, spec), _silence_due(trial, job, spec)
    if start is not None and snapshot.now >= start:
        return _failed(trial, job, snapshot, start_failure_of(job, str(deadlines.start)))
    if run is not None and snapshot.now >= run:
        message = f"Job {job.name} still ran after {deadlines.run}"
        return _failed(trial, job, snapshot, (FailureClass.RUN_DEADLINE_EXCEEDED, message))
    if silence is not None and snapshot.now >= silence:
        last = "nothing so far" if trial.last_step is None else f"step {trial.last_step} last"
        message = f"Job {job.name} ran for {deadlines.silence} without a report; it reported {last}"
        return _failed(trial, job, snapshot, (FailureClass.SILENT, message))
    return None


def _start_due(trial: OpenTrial, job: TrialJob, spec: StudySpec) -> float | None:
    """A pod that reported, or was seen running, has started, whatever its readiness says now."""
    if job.phase is not JobPhase.PENDING or job.running_at is not None or has_reported(trial, job):
        return None
    return _due(job.waiting_since, spec.trial.deadlines.start)


def _run_due(trial: OpenTrial, job: TrialJob, spec: StudySpec) -> float | None:
    deadline = spec.trial.deadlines.run
    if deadline is None or job.phase is not JobPhase.RUNNING or job.running_at is None:
        return None
    known = pod_time(trial, job)
    return _due(known.until - known.seconds, deadline)


def _silence_due(trial: OpenTrial, job: TrialJob, spec: StudySpec) -> float | None:
    deadline = spec.trial.deadlines.silence
    if deadline is None or job.phase is not JobPhase.RUNNING or job.running_at is None:
        return None
    heard_at = trial.last_report_at if trial.silent_since is None else trial.silent_since
    return _due(max(job.running_at, heard_at or job.running_at), deadline)


LOST_SECONDS = 60.0
"""A trial that reports is not lost although its Job has not been seen: after its last report the watch has so long."""


def _lost_due(trial: OpenTrial) -> float | None:
    """When a trial without a Job that reported counts as lost."""
    return None if trial.last_report_at is None else trial.last_report_at + LOST_SECONDS


LEAVING_SECONDS = 60.0
"""How long a pod may be there after the end of its grace period, until its node counts as lost."""


def _leave_due(job: TrialJob, spec: StudySpec) -> float | None:
    if job.terminating_since is None:
        return None
    return job.terminating_since + grace_seconds(spec.trial.template) + LEAVING_SECONDS


def _stop_due(trial: OpenTrial, spec: StudySpec) -> float | None:
    """When the patience with a trial ends that was told to stop: it was pruned, or an objective is not finite."""
    since = trial.prune_decided_at
    if since is None and not trial.is_finite:
        since = trial.last_report_at
    return None if since is None else since + spec.trial.stop_grace_seconds


def _due(since: float | None, duration: str | None) -> float | None:
    return None if since is None or duration is None else since + seconds_of(duration)


_RULES = (
    _by_last_message,
    _by_lost_log,
    _by_finished_job,
    _by_lost_job,
    _by_lost_node,
    _by_stopped_runs,
    _by_ignored_stop,
    _by_deadline,
)
"""In the order in which they are asked."""
