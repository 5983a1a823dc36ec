"""From a snapshot to a plan: the policies in their order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tuning_operator.api.status import MAX_RECENT
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
    told = {outcome.number: outcome for outcome in outcomes}
    ended = [_finished(trial, told[trial.number], snapshot) for trial in history.open if trial.number in told]
    best, streak, longest = history.best, history.failed_streak, history.longest_failed_streak
    for trial in ended:
        streak = streak + 1 if trial.state is EndState.FAILED else 0
        longest = max(longest, streak)
        if trial.state is EndState.COMPLETE and trial.value is not None:
            than = best.value if best else None
            best = trial if is_better(trial.value, than, snapshot.spec.objective.direction) else best
    states = Counter(trial.state for trial in ended)
    return replace(
        history,
        open=tuple(trial for trial in history.open if trial.number not in told),
        complete=history.complete + states[EndState.COMPLETE],
        pruned=history.pruned + states[EndState.PRUNED],
        failed=history.failed + states[EndState.FAILED],
        failed_streak=streak,
        longest_failed_streak=longest,
        best=best,
        recent=(*reversed(ended), *history.recent)[:MAX_RECENT],
    )


def _finished(trial: OpenTrial, outcome: Outcome, snapshot: Snapshot) -> FinishedTrial:
    return FinishedTrial(
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
        if trial.number not in told and gives_way(trial, job, mode)
    )


def _suspended(snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial]) -> tuple[NewAttempt, ...]:
    """Trials whose Jobs give way wait under a new attempt, so that the old one's name and reports can't come back."""
    if not snapshot.spec.suspend.enabled:
        return ()
    with_jobs = [(trial, jobs[key]) for trial in staying if (key := (trial.number, trial.attempt)) in jobs]
    mode = snapshot.spec.suspend.mode
    return tuple(
        NewAttempt(trial.number, trial.attempt + 1, "Suspended")
        for trial, job in with_jobs
        if gives_way(trial, job, mode)
    )


def _starts(
    snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial], verdict: Verdict | None
) -> tuple[int, tuple[Launch, ...]]:
    blocked = snapshot.blocked_until is not None and snapshot.now < snapshot.blocked_until
    if blocked or snapshot.spec.suspend.enabled or (verdict is not None and verdict.early):
        return 0, ()
    jobless = [trial for trial in staying if (trial.number, trial.attempt) not in jobs]
    # A trial that reported has a Job, which is still to be seen.
    waiting = [trial for trial in jobless if trial.first_report_at is None]
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
    silent = {trial.number for trial in snapshot.history.open if trial.end is None}
    ignored = {it.number for it in outcomes if it.reason in ("Pruned", "NotFinite") and it.number in silent}
    deletions = []
    for (number, attempt), job in jobs.items():
        if not job.is_active or job.deleting:
            continue
        if number in newest and attempt < newest[number]:
            deletions.append(Deletion(job.name, f"attempt {newest[number]} of trial {number} replaces it"))
        elif number in cut_off:
            deletions.append(Deletion(job.name, f"trial {number} ended: {cut_off[number]}"))
        elif number in ignored:
            deletions.append(Deletion(job.name, f"trial {number} is to stop and goes on"))
        elif number in snapshot.ended and snapshot.now >= _leaving_until(snapshot, number):
            deletions.append(Deletion(job.name, f"trial {number} has ended, but its pod does not leave"))
    return tuple(deletions)


CUTTING_REASONS = frozenset({"StartDeadlineExceeded", "RunDeadlineExceeded", "StudyEnded", "LogLost"})
"""Outcomes that end a trial from outside: its pod does not know and must be deleted."""


COMPLETE_GRACE_SECONDS = 900.0
"""How long a complete trial's pod may stay: it may still save its model."""


def _leaving_until(snapshot: Snapshot, number: int) -> float:
    trial = snapshot.ended[number]
    complete = trial.state is EndState.COMPLETE
    return trial.ended_at + (COMPLETE_GRACE_SECONDS if complete else snapshot.spec.trial.stop_grace_seconds)


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
