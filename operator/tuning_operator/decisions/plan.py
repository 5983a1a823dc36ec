"""From a snapshot to a plan: the policies in their order."""

from __future__ import annotations

from dataclasses import replace

from tuning_operator.api.durations import seconds_of
from tuning_operator.decisions.actions import Deletion, Launch, NewAttempt, Outcome, Plan
from tuning_operator.decisions.best_trial import is_better
from tuning_operator.decisions.parallelism import free_slots, trials_to_ask
from tuning_operator.decisions.snapshot import EndState, FinishedTrial, History, OpenTrial, Snapshot, TrialJob
from tuning_operator.decisions.stopping import Verdict, verdict_of
from tuning_operator.decisions.suspension import gives_way
from tuning_operator.decisions.trial_end import given_up, next_check_of, outcome_of

Jobs = dict[tuple[int, int], TrialJob]
"""Jobs by (trial, attempt)."""


def decide(snapshot: Snapshot) -> Plan:
    """Return what to do for a study now."""
    jobs: Jobs = {(job.trial, job.attempt): job for job in snapshot.jobs}
    outcomes = _outcomes(snapshot, jobs)
    verdict = verdict_of(snapshot.spec, after(snapshot.history, outcomes, snapshot))
    if verdict is not None and verdict.early:
        outcomes += _given_up(snapshot, jobs, outcomes, verdict)
    told = {outcome.number for outcome in outcomes}
    staying = [trial for trial in snapshot.history.open if trial.number not in told]
    new_attempts = _suspended(snapshot, jobs, staying)
    ask, launches = _starts(snapshot, jobs, staying, verdict)
    return Plan(
        outcomes=outcomes,
        new_attempts=new_attempts,
        deletions=_deletions(snapshot, jobs, outcomes, new_attempts),
        ask=ask,
        launches=launches,
        requeue_at=_requeue_at(snapshot, jobs, staying),
    )


def after(history: History, outcomes: tuple[Outcome, ...], snapshot: Snapshot) -> History:
    """Return the history as it will be once the outcomes are told, as far as the stop rules look at it."""
    parameters = {trial.number: trial for trial in history.open}
    for outcome in outcomes:
        trial = parameters[outcome.number]
        finished = FinishedTrial(
            number=outcome.number,
            state=outcome.state,
            parameters=trial.parameters,
            value=outcome.value,
            reason=outcome.reason,
            message=outcome.message,
            attempt=trial.attempt,
            ended_at=snapshot.now,
            running_seconds=outcome.running_seconds,
        )
        history = _with(history, finished, snapshot)
    return history


def _with(history: History, trial: FinishedTrial, snapshot: Snapshot) -> History:
    failed = trial.state is EndState.FAILED
    best = history.best
    if trial.state is EndState.COMPLETE and trial.value is not None:
        than = best.value if best else None
        best = trial if is_better(trial.value, than, snapshot.spec.objective.direction) else best
    streak = history.failed_streak + 1 if failed else 0
    return replace(
        history,
        open=tuple(open_trial for open_trial in history.open if open_trial.number != trial.number),
        complete=history.complete + (trial.state is EndState.COMPLETE),
        pruned=history.pruned + (trial.state is EndState.PRUNED),
        failed=history.failed + failed,
        failed_streak=streak,
        longest_failed_streak=max(history.longest_failed_streak, streak),
        best=best,
        recent=(trial, *history.recent),
    )


def _outcomes(snapshot: Snapshot, jobs: Jobs) -> tuple[Outcome, ...]:
    found = (outcome_of(trial, jobs.get((trial.number, trial.attempt)), snapshot) for trial in snapshot.history.open)
    return tuple(outcome for outcome in found if outcome is not None)


def _given_up(snapshot: Snapshot, jobs: Jobs, outcomes: tuple[Outcome, ...], verdict: Verdict) -> tuple[Outcome, ...]:
    told = {outcome.number for outcome in outcomes}
    mode = snapshot.spec.stopping.on_end
    with_jobs = [(trial, jobs.get((trial.number, trial.attempt))) for trial in snapshot.history.open]
    return tuple(
        given_up(trial, job, snapshot, verdict.reason)
        for trial, job in with_jobs
        if trial.number not in told and gives_way(job, mode)
    )


def _suspended(snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial]) -> tuple[NewAttempt, ...]:
    """Trials whose Jobs give way wait under a new attempt, so that the old one's name and reports can't come back."""
    if not snapshot.spec.suspend.enabled:
        return ()
    with_jobs = [(trial, jobs[key]) for trial in staying if (key := (trial.number, trial.attempt)) in jobs]
    mode = snapshot.spec.suspend.mode
    return tuple(
        NewAttempt(trial.number, trial.attempt + 1, "Suspended") for trial, job in with_jobs if gives_way(job, mode)
    )


def _starts(
    snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial], verdict: Verdict | None
) -> tuple[int, tuple[Launch, ...]]:
    blocked = snapshot.blocked_until is not None and snapshot.now < snapshot.blocked_until
    if blocked or snapshot.spec.suspend.enabled or (verdict is not None and verdict.early):
        return 0, ()
    waiting = [trial for trial in staying if (trial.number, trial.attempt) not in jobs]
    slots = free_slots(snapshot.spec, occupied=len(staying) - len(waiting))
    launches = tuple(Launch(trial, "it has no Job") for trial in waiting[:slots])
    if verdict is not None:
        return 0, launches
    return trials_to_ask(snapshot.spec, snapshot.history.total, slots - len(launches)), launches


def _deletions(
    snapshot: Snapshot, jobs: Jobs, outcomes: tuple[Outcome, ...], new_attempts: tuple[NewAttempt, ...]
) -> tuple[Deletion, ...]:
    """Jobs that nobody waits for: of older attempts, of trials that were cut off, and those that do not leave."""
    newest = {trial.number: trial.attempt for trial in snapshot.history.open}
    newest |= {new.number: new.attempt for new in new_attempts}
    cut_off = {outcome.number: outcome.reason for outcome in outcomes if outcome.reason in CUTTING_REASONS}
    ignored = {outcome.number for outcome in outcomes if _ignored_stop(outcome, snapshot)}
    deletions = []
    for (number, attempt), job in jobs.items():
        if not job.is_active or job.deleting:
            continue
        if number in newest and attempt < newest[number]:
            deletions.append(Deletion(job.name, f"attempt {newest[number]} of trial {number} replaces it"))
        elif number in cut_off:
            deletions.append(Deletion(job.name, f"trial {number} ended: {cut_off[number]}"))
        elif number in ignored:
            deletions.append(Deletion(job.name, f"trial {number} was told to stop and went on"))
        elif number in snapshot.ended and snapshot.now >= _leaving_until(snapshot, number):
            deletions.append(Deletion(job.name, f"trial {number} has ended, but its pod does not leave"))
    return tuple(deletions)


CUTTING_REASONS = frozenset({"StartDeadlineExceeded", "RunDeadlineExceeded", "StudyEnded"})
"""Outcomes that end a trial from outside: its pod does not know and must be deleted."""


def _ignored_stop(outcome: Outcome, snapshot: Snapshot) -> bool:
    """A pruned or diverged trial without a last message was told to stop and its grace is over."""
    trial = next(trial for trial in snapshot.history.open if trial.number == outcome.number)
    return outcome.reason in ("Pruned", "NotFinite") and trial.end is None


def _leaving_until(snapshot: Snapshot, number: int) -> float:
    return snapshot.ended[number].ended_at + seconds_of(snapshot.spec.trial.prune_grace)


def _requeue_at(snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial]) -> float | None:
    checks = [next_check_of(trial, jobs.get((trial.number, trial.attempt)), snapshot.spec) for trial in staying]
    leaving = [
        _leaving_until(snapshot, job.trial)
        for job in jobs.values()
        if job.is_active and not job.deleting and job.trial in snapshot.ended
    ]
    blocked = snapshot.blocked_until
    unblocked = [blocked] if blocked is not None and blocked > snapshot.now else []
    return min([check for check in checks if check is not None] + leaving + unblocked, default=None)
