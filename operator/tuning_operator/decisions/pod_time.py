"""How long a trial's newest attempt has had a running pod, whatever a queue took from it, and what of that to store.

A Job whose pod a queue took does not say any more that it ran: the API server resets its start. What was seen of it is
in memory, and what a restart must not lose is stored: when a queue let a pod run, and when it took it. A Job that no
queue has to do with costs no write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuning_operator.decisions.actions import KeptPodTime
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.trials import NO_POD_TIME, OpenTrial, PodTime


def attempt_seconds(trial: OpenTrial, job: TrialJob | None, now: float) -> float:
    """Return how long the newest attempt has had a running pod; `job` is its Job, if that exists."""
    known = pod_time(trial, job)
    ended_at = now if job is None or job.ended_at is None else job.ended_at
    running = max(0.0, ended_at - known.until) if known.goes_on else 0.0
    return known.seconds + max(running, 0.0 if known.seconds else _reporting_seconds(trial, job))


def pod_time(trial: OpenTrial, job: TrialJob | None) -> PodTime:
    """Return what is known of an attempt's pods from what is stored and what is seen."""
    stored = trial.pod_time
    if stored is NO_POD_TIME and job is not None and not job.has_been_queued:  # as for most, in each look at them
        return stored if job.running_at is None else PodTime(0.0, job.running_at, goes_on=True)
    stints = _ended_stints(trial, job)
    seconds = stored.seconds + sum(max(0.0, ended - max(began, stored.until)) for began, ended in stints)
    until = max([stored.until, *(ended for _, ended in stints)])
    if job is None or job.running_at is None:
        return PodTime(seconds, until, stored.goes_on and not stints)
    if stored.goes_on and not stints:
        return stored  # the same pod
    return PodTime(seconds, max(until, job.running_at), goes_on=True)


def pod_times_to_keep(trials: Sequence[OpenTrial], jobs: Mapping[tuple[int, int], TrialJob]) -> tuple[KeptPodTime, ...]:
    """Return what is to be stored of these trials: what their Jobs would not say after a restart."""
    kept = []
    for trial in trials:
        job = jobs.get((trial.number, trial.attempt))
        if job is not None and job.is_active:
            known = pod_time(trial, job)
            is_queued = job.released_at is not None or not known.goes_on
            if known != trial.pod_time and is_queued:
                kept.append(KeptPodTime(trial.number, trial.attempt, known))
    return tuple(kept)


def _ended_stints(trial: OpenTrial, job: TrialJob | None) -> list[tuple[float, float]]:
    """Return from when to when pods ran that run no more, and that are not in what is stored."""
    stored = trial.pod_time
    if job is None:  # whenever it went: its reports are what is sure
        return [(stored.until, max(stored.until, trial.last_report_at or 0.0))] if stored.goes_on else []
    seen = [stint for stint in job.earlier_pods if stint[1] > stored.until]
    is_held = job.phase is JobPhase.SUSPENDED
    taken_at = job.held_since if is_held else job.released_at
    if seen or taken_at is None:
        return seen
    # What a queue did while no operator looked is known by its last word only.
    if stored.goes_on and (is_held or stored.until < taken_at):
        return [(stored.until, max(stored.until, taken_at))]
    first, last = trial.first_report_at, trial.last_report_at
    if not stored.seconds and first is not None and last is not None and last <= taken_at:
        return [(first, last)]
    return []


def _reporting_seconds(trial: OpenTrial, job: TrialJob | None) -> float:
    """A trial's end is seen before its Job is: the reports bound the running time from below.

    Between a pod that a queue took away and the next one nothing runs.
    """
    if trial.first_report_at is None or trial.last_report_at is None:
        return 0.0
    released_at = None if job is None else job.released_at
    since = trial.first_report_at if released_at is None else max(trial.first_report_at, released_at)
    return max(0.0, trial.last_report_at - since)
