"""From a snapshot to a plan: the policies in their order."""

from __future__ import annotations

from dataclasses import replace

from tuning_operator.api.retries import FailureClass
from tuning_operator.api.stopping import Suspension
from tuning_operator.decisions.actions import Deletion, Launch, NewAttempt, Outcome, Plan
from tuning_operator.decisions.active_time import active_time_after
from tuning_operator.decisions.history import History
from tuning_operator.decisions.in_order import with_ends
from tuning_operator.decisions.parallelism import free_slots, trials_to_ask
from tuning_operator.decisions.pod_time import attempt_seconds, pod_times_to_keep
from tuning_operator.decisions.retrying import is_due, put_off, retry_of
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.stopping import Verdict, verdict_of
from tuning_operator.decisions.stray_jobs import attempts_beyond_strays, deletions_of_strays
from tuning_operator.decisions.suspension import gives_way
from tuning_operator.decisions.tally import Tally
from tuning_operator.decisions.trial_end import given_up, next_check_of, outcome_of, stopped
from tuning_operator.decisions.trials import EndState, FinishedTrial, OpenTrial
from tuning_operator.decisions.usage import Usage, budget_ends_at, usage_of

Jobs = dict[tuple[int, int], TrialJob]
"""Jobs by (trial, attempt)."""


def decide(snapshot: Snapshot) -> Plan:
    """Return what to do for a study now."""
    beyond_strays = attempts_beyond_strays(snapshot)
    if beyond_strays:  # first of all: until then what their pods report may count
        return Plan(new_attempts=beyond_strays, deletions=deletions_of_strays(snapshot))
    jobs: Jobs = {(job.trial, job.attempt): job for job in snapshot.jobs}
    outcomes, retries = _ends(snapshot, jobs)
    usage = usage_of(snapshot)
    then = after(snapshot.history, outcomes, snapshot)
    verdict = verdict_of(snapshot.spec, then, usage)
    if verdict is not None and verdict.mode is not None:
        outcomes, retries = _outcomes(snapshot, jobs), ()
        outcomes += _given_up(snapshot, jobs, outcomes, verdict.mode, verdict.reason)
    settled = {outcome.number for outcome in outcomes} | {retry.number for retry in retries}
    staying = [trial for trial in snapshot.history.open if trial.number not in settled]
    new_attempts = retries + _suspended(snapshot, jobs, staying)
    slots, launches = _starts(snapshot, jobs, staying, verdict, retrying=len(retries))
    wanted = trials_to_ask(snapshot.spec, then, slots)
    ask = min(wanted, snapshot.allowance.trials)
    return Plan(
        active_time=active_time_after(snapshot, verdict),
        pod_times=pod_times_to_keep(staying, jobs),
        outcomes=outcomes,
        new_attempts=new_attempts,
        deletions=deletions_of_strays(snapshot) + _deletions(snapshot, jobs, outcomes, new_attempts),
        ask=ask,
        held_back=snapshot.allowance.cap if ask < wanted else "",
        launches=launches,
        requeue_at=_requeue_at(snapshot, jobs, staying, usage),
    )


def after(history: History, outcomes: tuple[Outcome, ...], snapshot: Snapshot) -> History:
    """Return the history as it will be once the outcomes are told, as far as the stop rules look at it."""
    told = {outcome.number: outcome for outcome in outcomes}
    ended = [_finished(trial, told[trial.number], snapshot) for trial in history.open if trial.number in told]
    tally = Tally.of(history, snapshot.spec)
    for trial in ended:
        tally.add(trial)
    still_open = tuple(trial for trial in history.open if trial.number not in told)
    in_order = None if history.in_order is None else with_ends(history.in_order, ended, snapshot.spec)
    return replace(history, open=still_open, in_order=in_order, **tally.sums())


def _finished(trial: OpenTrial, outcome: Outcome, snapshot: Snapshot) -> FinishedTrial:
    return FinishedTrial(
        number=outcome.number,
        state=outcome.state,
        parameters=trial.parameters,
        value=outcome.value,
        further=outcome.further,
        reason=outcome.reason,
        message=outcome.message,
        attempt=trial.attempt,
        ended_at=snapshot.now,
        running_seconds=outcome.running_seconds,
        lineage=trial.lineage,
        run_values=trial.run_values,
    )


def _outcomes(snapshot: Snapshot, jobs: Jobs) -> tuple[Outcome, ...]:
    found = (_outcome_of(trial, jobs.get((trial.number, trial.attempt)), snapshot) for trial in snapshot.history.open)
    return tuple(outcome for outcome in found if outcome is not None)


def _outcome_of(trial: OpenTrial, job: TrialJob | None, snapshot: Snapshot) -> Outcome | None:
    """A person's word comes after what the trial itself has achieved."""
    outcome = outcome_of(trial, job, snapshot)
    if outcome is None and trial.number in snapshot.spec.stopping.trials:
        return stopped(trial, job, snapshot)
    return outcome


def _ends(snapshot: Snapshot, jobs: Jobs) -> tuple[tuple[Outcome, ...], tuple[NewAttempt, ...]]:
    """Return which trials have ended, and which failed ones are tried again instead."""
    trials = {trial.number: trial for trial in snapshot.history.open}
    outcomes, retries = [], []
    for outcome in _outcomes(snapshot, jobs):
        retry = retry_of(trials[outcome.number], outcome, snapshot.spec, snapshot.now)
        if retry is None or outcome.number in snapshot.spec.stopping.trials:
            outcomes.append(outcome)
        else:
            retries.append(retry)
    return tuple(outcomes), tuple(retries)


def _given_up(
    snapshot: Snapshot, jobs: Jobs, outcomes: tuple[Outcome, ...], mode: Suspension, reason: str
) -> tuple[Outcome, ...]:
    told = {outcome.number for outcome in outcomes}
    with_jobs = [(trial, jobs.get((trial.number, trial.attempt))) for trial in snapshot.history.open]
    return tuple(
        given_up(trial, job, snapshot, reason)
        for trial, job in with_jobs
        if trial.number not in told and gives_way(trial, job, mode)
    )


def _suspended(snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial]) -> tuple[NewAttempt, ...]:
    """Trials whose Jobs give way wait under a new attempt, so that the old one's name and reports can't come back.

    One that is to be pruned gets no other attempt, but ends.
    """
    if not snapshot.spec.suspend.enabled:
        return ()
    going_on = (trial for trial in staying if trial.prune_decided_at is None)
    with_jobs = [(trial, jobs[key]) for trial in going_on if (key := (trial.number, trial.attempt)) in jobs]
    mode = snapshot.spec.suspend.mode
    return tuple(
        put_off(trial, attempt_seconds(trial, job, snapshot.now), "Suspended")
        for trial, job in with_jobs
        if gives_way(trial, job, mode)
    )


def _starts(
    snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial], verdict: Verdict | None, retrying: int
) -> tuple[int, tuple[Launch, ...]]:
    """Return how many new trials may start, and which of those that are there do."""
    blocked = snapshot.blocked_until is not None and snapshot.now < snapshot.blocked_until
    if blocked or snapshot.spec.suspend.enabled or (verdict is not None and verdict.mode is not None):
        return 0, ()
    jobless = [trial for trial in staying if (trial.number, trial.attempt) not in jobs]
    # Two pods of one trial would share its checkpoints: the attempt before must have been told to leave.
    staying_jobs = {job.trial for job in jobs.values() if job.is_active and not job.deleting}
    # A trial that reported has a Job, which is still to be seen.
    silent = [trial for trial in jobless if trial.first_report_at is None and trial.number not in staying_jobs]
    waiting = [trial for trial in silent if is_due(trial, snapshot.now)]
    # One that waits for its retry keeps its slot.
    slots = free_slots(snapshot.spec, len(staying) + retrying - len(waiting), snapshot.room)
    if snapshot.problem:  # one Job shows whether it is over; all at once would be refused together
        slots = min(slots, 1)
    launches = tuple(Launch(trial, "it has no Job") for trial in waiting[:slots])
    if verdict is not None or snapshot.history.waits:
        return 0, launches
    return slots - len(launches), launches


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
            deletions.append(Deletion(job.name, number, f"attempt {newest[number]} of trial {number} replaces it"))
        elif number in cut_off:
            deletions.append(Deletion(job.name, number, f"trial {number} ended: {cut_off[number]}"))
        elif number in ignored:
            deletions.append(Deletion(job.name, number, f"trial {number} is to stop, and its Job goes on"))
        elif number in snapshot.ended and snapshot.now >= _leaving_until(snapshot, number):
            deletions.append(Deletion(job.name, number, f"trial {number} has ended, but its pod does not leave"))
    return tuple(deletions)


CUTTING_REASONS = frozenset(
    {
        FailureClass.IMAGE_PROBLEM,
        FailureClass.START_DEADLINE_EXCEEDED,
        FailureClass.RUN_DEADLINE_EXCEEDED,
        FailureClass.SILENT,
        FailureClass.LOG_LOST,
        FailureClass.TOO_MANY_STEPS,
        "StudyEnded",
        "StoppedByUser",
    }
)
"""Outcomes that end a trial from outside: its pod does not know and must be deleted."""


COMPLETE_GRACE_SECONDS = 900.0
"""How long a complete trial's pod may stay: it may still save its model."""


def _leaving_until(snapshot: Snapshot, number: int) -> float:
    trial = snapshot.ended[number]
    complete = trial.state is EndState.COMPLETE
    return trial.ended_at + (COMPLETE_GRACE_SECONDS if complete else snapshot.spec.trial.stop_grace_seconds)


def _requeue_at(snapshot: Snapshot, jobs: Jobs, staying: list[OpenTrial], usage: Usage) -> float | None:
    checks = [next_check_of(trial, jobs.get((trial.number, trial.attempt)), snapshot.spec) for trial in staying]
    leaving = [
        _leaving_until(snapshot, job.trial)
        for job in jobs.values()
        if job.is_active and not job.deleting and job.trial in snapshot.ended
    ]
    blocked = snapshot.blocked_until
    unblocked = [blocked] if blocked is not None and blocked > snapshot.now else []
    retries = [trial.earlier.retry_at for trial in staying if not is_due(trial, snapshot.now)]
    dues = [*checks, *retries, budget_ends_at(snapshot, usage)]
    return min([due for due in dues if due is not None] + leaving + unblocked, default=None)
