"""Whether a failed attempt is followed by another one."""

from __future__ import annotations

from dataclasses import replace

from tuning_operator.api.retries import DISRUPTIONS, MOST_DISRUPTIONS
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import NewAttempt, Outcome
from tuning_operator.decisions.trials import EarlierAttempts, EndState, OpenTrial

FIRST_BACKOFF_SECONDS = 10.0
LONGEST_BACKOFF_SECONDS = 360.0
"""Pauses before a retry: 10 s, 20 s, 40 s … up to six minutes, as the Job controller does between pods."""


def retry_of(trial: OpenTrial, outcome: Outcome, spec: StudySpec, now: float) -> NewAttempt | None:
    """Return the attempt that follows instead of a trial's end; None: the trial has ended.

    One that was to be pruned is not worth another attempt, however it went.
    """
    if outcome.state is not EndState.FAILED or outcome.reason not in spec.trial.retries.reasons:
        return None
    if trial.prune_decided_at is not None:
        return None
    earlier = trial.earlier
    if is_disruption(outcome.reason):
        earlier = replace(earlier, disruptions=earlier.disruptions + 1)
        spent, before = earlier.disruptions > MOST_DISRUPTIONS, earlier.disruptions - 1
    else:
        earlier = replace(earlier, failures=earlier.failures + 1)
        spent, before = earlier.failures > spec.trial.retries.limit, earlier.failures - 1
    if spent:
        return None
    earlier = replace(
        earlier,
        running_seconds=outcome.running_seconds,
        reason=outcome.reason,
        message=outcome.message,
        retry_at=now + _backoff_seconds(before),
    )
    return NewAttempt(trial.number, trial.attempt + 1, outcome.reason, earlier, outcome.attempt_seconds, outcome.after)


def put_off(trial: OpenTrial, running_seconds: float, reason: str) -> NewAttempt:
    """Return the attempt that follows when nothing failed and the Job only had to give way.

    `running_seconds` is the time with a running pod of the attempt that gives way.
    """
    earlier: EarlierAttempts = replace(
        trial.earlier,
        running_seconds=trial.earlier.running_seconds + running_seconds,
        reason=reason,
        message="",
        retry_at=None,
    )
    return NewAttempt(trial.number, trial.attempt + 1, reason, earlier, running_seconds)


def is_disruption(reason: str) -> bool:
    """Return whether a failed trial's reason is nobody's fault."""
    return reason in DISRUPTIONS


def is_due(trial: OpenTrial, now: float) -> bool:
    """Return whether a trial that waits may be launched; a clock that was set back makes none wait for hours."""
    retry_at = trial.earlier.retry_at
    return retry_at is None or not now < retry_at <= now + LONGEST_BACKOFF_SECONDS


def _backoff_seconds(before: int) -> float:
    return float(min(FIRST_BACKOFF_SECONDS * 2 ** min(before, 10), LONGEST_BACKOFF_SECONDS))
