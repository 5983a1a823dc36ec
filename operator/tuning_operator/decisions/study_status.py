"""The status that a snapshot deserves. It is computed from the trials each time, so nothing in it can get lost."""

from __future__ import annotations

from collections import Counter

from tuning_operator.api.names import job_name
from tuning_operator.api.status import (
    MAX_RECENT,
    BestTrial,
    RecentTrial,
    StudyStatus,
    TrialCounts,
    Usage,
)
from tuning_operator.decisions.conditions import Claims, claims_of, merged, phase_of, refusal, timestamp
from tuning_operator.decisions.snapshot import FinishedTrial, Snapshot, StudyKey
from tuning_operator.decisions.stopping import verdict_of
from tuning_operator.decisions.trial_state import TrialState, state_of
from tuning_operator.decisions.usage import usage_of
from tuning_operator.errors import InvalidStudy


def study_status(snapshot: Snapshot, read_token: str) -> StudyStatus:
    """Return the whole status."""
    history, spec = snapshot.history, snapshot.spec
    usage = usage_of(snapshot)
    verdict = verdict_of(spec, history, usage)
    ended = verdict is not None and not history.open
    conditions = merged(snapshot.status.conditions, claims_of(snapshot, verdict), snapshot.generation, snapshot.now)
    done = history.complete + history.pruned + history.failed
    return StudyStatus(
        observed_generation=snapshot.generation,
        phase=phase_of(conditions),
        conditions=conditions,
        start_time=_timestamp(history.started_at),
        completion_time=_timestamp(history.last_ended_at) if ended else None,
        progress=f"{done}/{spec.max_trials}",
        trials=trial_counts(snapshot),
        best=_best(snapshot),
        recent=[_recent(snapshot.study, trial) for trial in history.recent[:MAX_RECENT]],
        usage=Usage(gpu_hours=round(usage.gpu_seconds / 3600, 4), trial_hours=round(usage.trial_seconds / 3600, 4)),
        planned_trainings=spec.max_trials,
        read_token=read_token,
    )


def unusable_status(previous: StudyStatus, claims: Claims, generation: int, now: float) -> StudyStatus:
    """Return the status of a study that can't be worked on: the counters stay as they are."""
    conditions = merged(previous.conditions, claims, generation, now)
    return previous.model_copy(
        update={"observed_generation": generation, "conditions": conditions, "phase": phase_of(conditions)}
    )


def refused_status(previous: StudyStatus, error: InvalidStudy, generation: int, now: float) -> StudyStatus:
    """Return the status of a study whose spec is wrong."""
    return unusable_status(previous, refusal(error.reason, str(error)), generation, now)


def trial_counts(snapshot: Snapshot) -> TrialCounts:
    """Return how many trials are where."""
    history = snapshot.history
    jobs = {(job.trial, job.attempt): job for job in snapshot.jobs}
    states = Counter(state_of(trial, jobs.get((trial.number, trial.attempt))) for trial in history.open)
    return TrialCounts(
        total=history.total,
        waiting=states[TrialState.WAITING],
        pending=states[TrialState.PENDING],
        running=states[TrialState.RUNNING],
        complete=history.complete,
        pruned=history.pruned,
        failed=history.failed,
    )


def _best(snapshot: Snapshot) -> BestTrial | None:
    best = snapshot.history.best
    if best is None or best.value is None:
        return None
    return BestTrial(
        number=best.number,
        value=best.value,
        shown=f"{best.value:.6g}",
        values={snapshot.spec.objective.metric: best.value},
        parameters=dict(best.parameters),
        job=_job(snapshot.study, best),
    )


def _recent(study: StudyKey, trial: FinishedTrial) -> RecentTrial:
    return RecentTrial(
        number=trial.number,
        state=trial.state.value,
        value=trial.value,
        parameters=dict(trial.parameters) if len(trial.parameters) <= MAX_LISTED_PARAMETERS else {},
        duration=duration_text(trial.running_seconds),
        reason=trial.reason,
        message=trial.message[:256],
        job=_job(study, trial),
    )


MAX_LISTED_PARAMETERS = 24
"""`recent` leaves the parameters of larger spaces out: the status must stay small; the read API has them."""


def _job(study: StudyKey, trial: FinishedTrial) -> str:
    return job_name(study.name, study.uid, trial.number, trial.attempt)


def duration_text(seconds: float) -> str:
    """Return a duration as Kubernetes writes it: 90 is 1m30s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def _timestamp(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
