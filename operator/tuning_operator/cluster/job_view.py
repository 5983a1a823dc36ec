"""A Job's document -> what decisions need of it.

The API server vouches for the types of a Job's fields, not for what people write into labels and annotations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tuning_operator.api.names import ATTEMPT_LABEL, KIND, PARAMETERS_ANNOTATION, STUDY_UID_LABEL, TRIAL_LABEL, job_name
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.stray_jobs import fingerprint_of

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_EXIT_CODE = re.compile(r"failed with exit code ([0-9]{1,10})\b")
"""The Job controller's words for a FailJob rule on exit codes."""
_DISRUPTED = "has condition DisruptionTarget"
"""The Job controller's words for a FailJob rule on that condition."""
_QUEUED = "The Job is suspended: a queue, or whoever suspended it, has to let it go."
MAX_ATTEMPT = 1_000_000
"""Largest attempt of a Job that is taken for a trial's; there is room for more after it."""
_LONGEST_MESSAGE = 1000
"""Characters of a Job's words that are kept; they go into statuses and Events, which are bounded."""


class UnreadableJob(ValueError):
    """A Job that carries the label and was not made by this operator, or was changed by somebody."""


@dataclass(frozen=True)
class SeenJob:
    """A Job and who it belongs to."""

    namespace: str
    study: str
    """Its name."""
    study_uid: str
    uid: str
    job: TrialJob

    @property
    def log_fields(self) -> dict[str, object]:
        """What a log line about it has as `extra`."""
        trial, attempt = self.job.trial, self.job.attempt
        return {"namespace": self.namespace, "study": self.study, "trial": trial, "attempt": attempt}


def read_job(document: Mapping[str, Any], now: float = 0.0) -> SeenJob:
    """Return what a Job says of itself at `now`, in seconds since 1970.

    `running_at` stays open while it runs, for the document does not have it.

    Raises
    ------
    UnreadableJob
        Labels, owner and name do not fit together. A foreign Job could otherwise pass for a trial's.
    """
    try:
        metadata = document["metadata"]
        labels = metadata["labels"]
        owner = _controller(metadata.get("ownerReferences") or ())
        trial, attempt = _number(labels[TRIAL_LABEL]), _number(labels[ATTEMPT_LABEL])
        if attempt > MAX_ATTEMPT:
            raise UnreadableJob(f"its label names the attempt {attempt}, and no trial has that many")
        if owner["uid"] != labels[STUDY_UID_LABEL]:
            raise UnreadableJob("its label names another study than its owner reference")
        if metadata["name"] != job_name(owner["name"], owner["uid"], trial, attempt):
            raise UnreadableJob("its name is not the one of its trial and attempt")
        job = TrialJob(
            name=metadata["name"],
            trial=trial,
            attempt=attempt,
            phase=JobPhase.PENDING,
            created_at=parse_time(metadata["creationTimestamp"]),
            fingerprint=fingerprint_in(metadata.get("annotations") or {}),
            deleting=metadata.get("deletionTimestamp") is not None,
        )
        status = document.get("status") or {}
        job = _with_status(job, status)
        if (status.get("terminating") or 0) >= 1 and not (status.get("ready") or 0):
            job = replace(job, terminating_since=now)
        if (document.get("spec") or {}).get("suspend") is True and job.is_active:
            job = replace(job, phase=JobPhase.SUSPENDED, held_since=_held_since(status, now))
        return SeenJob(metadata["namespace"], owner["name"], owner["uid"], metadata["uid"], job)
    except UnreadableJob:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise UnreadableJob(f"a field is missing or has a wrong value ({type(error).__name__}: {error})") from error


def fingerprint_in(annotations: Mapping[str, Any]) -> str:
    """Return the fingerprint of the parameters that a Job's annotations name; empty: they name none."""
    try:
        parameters = json.loads(annotations.get(PARAMETERS_ANNOTATION, "null"))
    except (ValueError, RecursionError):
        return ""
    is_flat = isinstance(parameters, dict) and not any(isinstance(each, dict | list) for each in parameters.values())
    return fingerprint_of(parameters) if is_flat else ""


def merge(seen: SeenJob, before: SeenJob | None, started_at: float | None, now: float) -> SeenJob:
    """Add to a newly read Job what is not in its document: when it ran first, and what was known of it before.

    `started_at` is when its pod started, where that was asked for; times are in seconds since 1970.
    """
    job, known = seen.job, before.job if before else None
    if known is not None:
        job = _with_past(job, known)
    if job.terminating_since is not None and known is not None and known.terminating_since is not None:
        job = replace(job, terminating_since=known.terminating_since)
    if job.phase is JobPhase.SUSPENDED:
        job = replace(job, message=_QUEUED)
    elif job.phase is JobPhase.RUNNING and job.running_at is None:
        # A node's clock may be off too: its pod started after the Job might have one, and before now.
        job = replace(job, running_at=max(job.waiting_since, min(now if started_at is None else started_at, now)))
    return replace(seen, job=job)


def _with_past(job: TrialJob, known: TrialJob) -> TrialJob:
    """Return a Job with what was seen of it before and its document does not say."""
    job = replace(job, deleting=job.deleting or known.deleting, cause=known.cause if job.cause is None else job.cause)
    if job.phase is JobPhase.SUSPENDED:
        since = job.held_since if known.held_since is None else known.held_since
        return replace(job, held_since=since, earlier_pods=_pods_until(since, known))
    if job.released_at is not None and job.released_at != known.released_at:  # a queue took its pod, seen or not
        pods = _pods_until(job.released_at, known)
        known = replace(known, phase=JobPhase.SUSPENDED, running_at=None, earlier_pods=pods)
    if job.phase is JobPhase.PENDING and known.phase is JobPhase.RUNNING:
        job = replace(job, phase=JobPhase.RUNNING)  # its pod ended or is not ready for a moment; a condition will tell
    if job.phase is JobPhase.PENDING and known.phase is JobPhase.PENDING:
        job = replace(job, message=known.message)
    running_at = job.running_at if known.running_at is None else known.running_at
    return replace(job, earlier_pods=known.earlier_pods, running_at=running_at)


def _pods_until(taken_at: float | None, known: TrialJob) -> tuple[tuple[float, float], ...]:
    """Return from when to when a Job's pods ran, once a queue has taken the last of them."""
    if known.running_at is None or taken_at is None:
        return known.earlier_pods
    return (*known.earlier_pods, (known.running_at, max(known.running_at, taken_at)))


def _held_since(status: Mapping[str, Any], now: float) -> float:
    """Return since when a suspended Job has been so: `now` until the Job controller has noted it."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "Suspended" and condition.get("status") == "True":
            return min(now, parse_time(condition["lastTransitionTime"]))
    return now


def has_running_pod(document: Mapping[str, Any]) -> bool:
    """Return whether a Job's document says that a pod of it runs."""
    status = document.get("status")
    ready = status.get("ready") if isinstance(status, dict) else None
    return isinstance(ready, int) and ready >= 1


def parse_time(text: str) -> float:
    """Return the seconds since 1970 of a Kubernetes time; ValueError if it is none."""
    return datetime.fromisoformat(text).timestamp()


def _controller(owners: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    for owner in owners:
        if owner.get("controller") is True and owner["kind"] == KIND:
            return owner
    raise UnreadableJob(f"no {KIND} is its controller")


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise UnreadableJob(f"its label {text!r} is no number of a trial or attempt")
    return int(text)


def _with_status(job: TrialJob, status: Mapping[str, Any]) -> TrialJob:
    all_conditions = {each["type"]: each for each in status.get("conditions") or ()}
    conditions = {kind: each for kind, each in all_conditions.items() if each.get("status") == "True"}
    suspended = all_conditions.get("Suspended")
    if suspended is not None and suspended.get("status") == "False":
        job = replace(job, released_at=parse_time(suspended["lastTransitionTime"]))
    started = status.get("startTime")
    started_at = None if started is None else parse_time(started)
    if (complete := conditions.get("Complete")) is not None:
        ended_at = parse_time(status.get("completionTime") or complete["lastTransitionTime"])
        return replace(job, phase=JobPhase.COMPLETE, running_at=started_at, ended_at=ended_at, exit_code=0)
    if (failed := conditions.get("Failed")) is not None:
        ended_at = parse_time(failed["lastTransitionTime"])
        job = replace(job, phase=JobPhase.FAILED, running_at=started_at, ended_at=ended_at)
        return _with_failure(job, failed)
    # A pod that ended is counted before the condition comes: its Job is not waiting for a pod to start.
    has_run = any((status.get(count) or 0) >= 1 for count in ("ready", "succeeded", "failed"))
    job = replace(job, phase=JobPhase.RUNNING) if has_run else job
    # What made it fail is known some time before all its pods are gone.
    return _with_failure(job, conditions["FailureTarget"]) if "FailureTarget" in conditions else job


def _with_failure(job: TrialJob, condition: Mapping[str, Any]) -> TrialJob:
    """Return a Job with what a condition says of its failure."""
    message = str(condition.get("message") or condition.get("reason") or "")[:_LONGEST_MESSAGE]
    code = _EXIT_CODE.search(message)
    return replace(
        job,
        exit_code=int(code.group(1)) if code else None,
        disrupted=code is None and _DISRUPTED in message,
        message=message,
    )
