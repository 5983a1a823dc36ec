"""Jobs that fit no trial: the database was restored from a backup, or lost, while newer Jobs went on.

Their trials' numbers are given anew, with other parameters. What such a Job reports must not count for them, so that
no trial has an attempt that a Job was seen of which is not its own: an attempt's reports carry its number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tuning_operator.decisions.actions import Deletion, NewAttempt
from tuning_operator.decisions.history import History
from tuning_operator.decisions.seen_jobs import StrayJob, TrialJob
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.trials import OpenTrial

STRAY_JOB = "StrayJob"
"""Reason of the Event, and of the attempt that follows where a trial is in the way of such a Job."""


def fingerprint_of(parameters: Mapping[str, Any]) -> str:
    """Return a short text that parameters share only if they are the same."""
    return sha256(json.dumps(dict(parameters), sort_keys=True).encode()).hexdigest()[:16]


def told_apart(jobs: Iterable[TrialJob], history: History) -> tuple[tuple[TrialJob, ...], tuple[StrayJob, ...]]:
    """Return a study's Jobs that fit their trials and matter still, and those that fit none.

    Jobs of trials that have ended matter while they are active; until their TTL there are thousands of others.
    """
    trials = {trial.number: trial for trial in history.open}
    fitting, strays = [], []
    for job in jobs:
        trial = trials.get(job.trial)
        if trial is None and job.trial < history.total:
            if job.is_active:
                fitting.append(job)
        elif why := _why_stray(job, trial):
            strays.append(StrayJob(job, why))
        else:
            fitting.append(job)
    return tuple(fitting), tuple(strays)


def deletions_of_strays(snapshot: Snapshot) -> tuple[Deletion, ...]:
    """Return the deletions that rid a study of them."""
    return tuple(
        Deletion(stray.job.name, stray.job.trial, stray.why, event=STRAY_JOB)
        for stray in snapshot.strays
        if not stray.job.deleting
    )


def attempts_beyond_strays(snapshot: Snapshot) -> tuple[NewAttempt, ...]:
    """Return the attempts by which open trials get out of such Jobs' way.

    Where it trains other parameters, the trial starts afresh: without what was reported or decided so far, nor with
    checkpoints.
    """
    strays: dict[int, list[StrayJob]] = {}
    for stray in snapshot.strays:
        strays.setdefault(stray.job.trial, []).append(stray)
    return tuple(
        _attempt_beyond(trial, strays[trial.number]) for trial in snapshot.history.open if trial.number in strays
    )


def first_attempts(known: Mapping[int, int], strays: Iterable[StrayJob]) -> Mapping[int, int]:
    """Return number -> attempt to begin with, of trials to come, after such Jobs were seen.

    Their pods may report for some time after they are gone.
    """
    firsts = dict(known)
    for stray in strays:
        firsts[stray.job.trial] = max(firsts.get(stray.job.trial, 1), stray.job.attempt + 1)
    return firsts


def _why_stray(job: TrialJob, trial: OpenTrial | None) -> str:
    if trial is None:
        return f"the storage has no trial {job.trial}"
    if job.attempt > trial.attempt:
        return f"the storage has no attempt {job.attempt} of trial {job.trial}"
    if job.attempt == trial.attempt and not _trains(job, trial):
        return f"it trains other parameters than the storage has for trial {job.trial}"
    return ""


def _trains(job: TrialJob, trial: OpenTrial) -> bool:
    """Return whether a Job trains a trial's parameters, as far as both say which they are."""
    return not job.fingerprint or not trial.fingerprint or job.fingerprint == trial.fingerprint


def _attempt_beyond(trial: OpenTrial, strays: list[StrayJob]) -> NewAttempt:
    attempt = max(stray.job.attempt for stray in strays) + 1
    is_other = not all(_trains(stray.job, trial) for stray in strays)
    earlier = replace(
        trial.earlier,
        first=attempt if is_other else trial.earlier.first,
        reason=STRAY_JOB,
        message=strays[0].why,
        retry_at=None,
    )
    return NewAttempt(trial.number, attempt, STRAY_JOB, earlier, after=trial.last_words)
