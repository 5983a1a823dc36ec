"""The status that a snapshot deserves. It is computed from the trials each time, so nothing in it can get lost."""

from __future__ import annotations

from collections import Counter

from tuning_operator.api.status import (
    MAX_RECENT,
    BestTrial,
    RecentTrial,
    StudyStatus,
    TrialCounts,
    Usage,
)
from tuning_operator.decisions.conditions import Claims, claims_of, merged, phase_of, refusal, timestamp
from tuning_operator.decisions.front_status import front_fields, infeasible_of, job_of, listed_parameters
from tuning_operator.decisions.planned_trainings import planned_epochs, planned_trainings
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.stopping import verdict_of
from tuning_operator.decisions.trial_state import TrialState, state_of
from tuning_operator.decisions.trial_value import all_finite, known_values
from tuning_operator.decisions.trials import FinishedTrial
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
        result=result_text(snapshot),
        **front_fields(snapshot),
        recent=[_recent(snapshot, trial) for trial in history.recent[:MAX_RECENT]],
        usage=Usage(gpu_hours=round(usage.gpu_seconds / 3600, 4), trial_hours=round(usage.trial_seconds / 3600, 4)),
        planned_trainings=planned_trainings(spec, history.size),
        planned_epochs=planned_epochs(spec),
        read_token=read_token,
    )


def result_text(snapshot: Snapshot) -> str:
    """Return what was found, in a few characters."""
    best, front = snapshot.history.best, snapshot.history.front.members
    if front:
        return f"front of {len(front)}"
    return "" if best is None or best.value is None else f"{best.value:.6g}"


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
        values=known_values(best, snapshot.spec.objectives),
        std=best.std,
        parameters=dict(best.parameters),
        job=job_of(snapshot.study, best),
        infeasible=infeasible_of(snapshot, best),
    )


def _recent(snapshot: Snapshot, trial: FinishedTrial) -> RecentTrial:
    values = all_finite(known_values(trial, snapshot.spec.objectives))
    return RecentTrial(
        number=trial.number,
        state=trial.state.value,
        value=trial.value,
        values=values if len(values) > 1 else {},
        parameters=listed_parameters(trial),
        duration=duration_text(trial.running_seconds),
        reason=trial.reason,
        message=trial.message[:256],
        job=job_of(snapshot.study, trial),
    )


def duration_text(seconds: float) -> str:
    """Return a duration as Kubernetes writes it: 90 is 1m30s. One of a few seconds has a tenth: 0.3s."""
    if round(seconds, 1) < 10:
        return f"{round(seconds, 1):g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def _timestamp(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
