"""What a study's conditions claim, how they follow from one another, and the phase that sums them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tuning_operator.api.status import Condition, ConditionType, Phase
from tuning_operator.api.stopping import Suspension
from tuning_operator.decisions.enqueued import warnings_of_enqueued
from tuning_operator.decisions.first_generation import warnings_of_first_generation
from tuning_operator.decisions.hold_ups import held_up_jobs
from tuning_operator.decisions.planned_trainings import warnings_of_cost
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.stopping import Verdict


@dataclass(frozen=True)
class Claim:
    """What a condition should say."""

    holds: bool
    reason: str
    message: str = ""


Claims = Mapping[ConditionType, Claim]
"""A claim per condition; a condition that is not claimed stays as it was."""


def claims_of(snapshot: Snapshot, verdict: Verdict | None) -> Claims:
    """Return what holds for a study that can be worked on."""
    started = snapshot.history.started_at is not None
    if snapshot.problem and not started:
        return refusal("JobRefused", snapshot.problem)
    ended = verdict if not snapshot.history.open else None
    return {
        ConditionType.ACCEPTED: _accepted(snapshot),
        ConditionType.RUNNING: _running(snapshot, verdict),
        ConditionType.SUSPENDED: _suspended(snapshot, ended),
        ConditionType.COMPLETE: _ended(snapshot, ConditionType.COMPLETE, ended),
        ConditionType.FAILED: _ended(snapshot, ConditionType.FAILED, ended),
        ConditionType.DEGRADED: _degraded(snapshot, ended),
    }


def refusal(reason: str, message: str) -> Claims:
    """Return what holds for a study that can't be started as it is."""
    return {
        ConditionType.ACCEPTED: Claim(False, reason, message),
        ConditionType.RUNNING: Claim(False, "Refused", "nothing is started before the spec is corrected"),
    }


def degradation(reason: str, message: str) -> Claims:
    """Return what holds while something that the study needs is away."""
    return {ConditionType.DEGRADED: Claim(True, reason, message)}


def merged(previous: Sequence[Condition], claims: Claims, generation: int, now: float) -> list[Condition]:
    """Return the conditions with the claims in them; the time of a transition changes with `status` alone."""
    known = {condition.type: condition for condition in previous}
    for kind, claim in claims.items():
        status: Literal["True", "False"] = "True" if claim.holds else "False"
        old = known.get(kind)
        since = old.last_transition_time if old is not None and old.status == status else timestamp(now)
        known[kind] = Condition(
            type=kind,
            status=status,
            observed_generation=generation,
            last_transition_time=since,
            reason=claim.reason,
            message=claim.message[:4096],
        )
    return [known[kind] for kind in ConditionType if kind in known]


def phase_of(conditions: Sequence[Condition]) -> Phase:
    """Return one word for people."""
    true = {condition.type for condition in conditions if condition.status == "True"}
    reasons = {condition.type: condition.reason for condition in conditions}
    if ConditionType.COMPLETE in true:
        return Phase.COMPLETE
    if ConditionType.FAILED in true:
        return Phase.FAILED
    if ConditionType.ACCEPTED not in true and ConditionType.ACCEPTED in reasons:
        return Phase.REFUSED
    if ConditionType.SUSPENDED in true:
        return Phase.SUSPENDED
    if ConditionType.RUNNING in true:
        return Phase.STOPPING if reasons[ConditionType.RUNNING] == STOPPING else Phase.RUNNING
    return Phase.PENDING


STOPPING = "Stopping"
"""Reason of Running while no trial is started any more because the study ends early."""


RESUMED = "Resumed"
"""Reason of Complete and Failed after a study that had ended goes on."""


NOT_SUSPENDED = "NotSuspended"
"""Reason of Suspended while a study that has not ended may start trials."""


def _accepted(snapshot: Snapshot) -> Claim:
    if snapshot.refusal:
        return Claim(False, "InvalidSpec", snapshot.refusal)
    known = f"; warm start: {snapshot.history.warm_start}" if snapshot.history.warm_start else ""
    warnings = [
        *snapshot.warnings,
        *warnings_of_cost(snapshot.spec, snapshot.history.size),
        *warnings_of_enqueued(snapshot.spec),
        *warnings_of_first_generation(snapshot.spec),
    ]
    if warnings:
        return Claim(True, "ValidWithWarnings", "; ".join(warnings) + known)
    return Claim(True, "Valid", f"the study can be run as it is written{known}")


def _running(snapshot: Snapshot, verdict: Verdict | None) -> Claim:
    if verdict is not None and not snapshot.history.open:
        return Claim(False, "Ended", "no trial is left")
    if snapshot.spec.suspend.enabled:
        return Claim(False, "Suspended", "no trial is started while the study is suspended")
    if snapshot.history.started_at is None:
        return Claim(False, "NotStarted", "no trial has been asked for yet")
    if verdict is not None and verdict.early:
        return Claim(True, STOPPING, verdict.message)
    return Claim(True, "TrialsRunning", "trials are started as places become free")


def _suspended(snapshot: Snapshot, ended: Verdict | None) -> Claim:
    suspend = snapshot.spec.suspend
    if ended is not None:
        return Claim(False, "Ended", "the study has ended")
    if not suspend.enabled:
        return Claim(False, NOT_SUSPENDED, "`suspend.enabled` is false")
    running = "finish" if suspend.mode is Suspension.DRAIN else "give way"
    return Claim(True, "Suspended", f"no trial is started, and running ones {running}: `suspend.enabled` is true")


def _degraded(snapshot: Snapshot, ended: Verdict | None) -> Claim:
    if snapshot.storage_trouble:
        return Claim(True, "StorageUnavailable", snapshot.storage_trouble)
    if snapshot.search_failure and ended is None:
        return Claim(True, "SearchFailed", snapshot.search_failure)
    if snapshot.problem:
        return Claim(True, "JobNotCreated", snapshot.problem)
    if snapshot.held_back:
        return Claim(True, "CapReached", f"no further trial is started: {snapshot.held_back}")
    held_up = held_up_jobs(snapshot)
    if not held_up:
        return Claim(False, "AsExpected", "nothing keeps trials from running")
    reasons = Counter(job.message for job in held_up)
    words, count = reasons.most_common(1)[0]
    more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
    return Claim(
        True, "PodsNotStarting", f"no pod is running for {count} of {len(snapshot.history.open)} trials: {words}{more}"
    )


def _ended(snapshot: Snapshot, kind: ConditionType, verdict: Verdict | None) -> Claim:
    if verdict is not None and verdict.failed is (kind is ConditionType.FAILED):
        return Claim(True, verdict.reason, verdict.message)
    before = snapshot.status.condition(kind)
    if before is not None and (before.status == "True" or before.reason == RESUMED) and verdict is None:
        return Claim(False, RESUMED, "a limit was raised after the study had ended, or what ended it was removed")
    if verdict is not None:
        return Claim(False, "EndedOtherwise", "the study failed" if verdict.failed else "the study is complete")
    return Claim(False, "NotEnded", "the study has not ended")


def timestamp(seconds: float) -> str:
    """Return a time as Kubernetes writes it (RFC 3339, UTC)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
