"""A Job's document -> what decisions need of it.

The API server vouches for the types of a Job's fields, not for what people write into labels and annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tuning_operator.api.names import ATTEMPT_LABEL, KIND, STUDY_UID_LABEL, TRIAL_LABEL, job_name
from tuning_operator.decisions.snapshot import JobPhase, TrialJob

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_EXIT_CODE = re.compile(r"failed with exit code ([0-9]{1,10})\b")
"""The Job controller's words for a FailJob rule on exit codes."""
_QUEUED = "The Job is suspended: a queue, or whoever suspended it, has to let it go."
_LONGEST_MESSAGE = 1000
"""Characters of a Job's words that are kept; they go into statuses and Events, which are bounded."""


class UnreadableJob(ValueError):
    """A Job that carries the label and was not made by this operator, or was changed by somebody."""


@dataclass(frozen=True)
class SeenJob:
    """A Job and who it belongs to."""

    namespace: str
    study_uid: str
    uid: str
    job: TrialJob
    suspended: bool
    """Whether a queue holds it back."""


def read_job(document: Mapping[str, Any]) -> SeenJob:
    """Return what a Job says of itself; `running_at` stays open while it runs, for the document does not have it.

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
            deleting=metadata.get("deletionTimestamp") is not None,
        )
        suspended = (document.get("spec") or {}).get("suspend") is True
        job = _with_status(job, document.get("status") or {})
        return SeenJob(metadata["namespace"], owner["uid"], metadata["uid"], job, suspended)
    except UnreadableJob:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableJob(f"a field is missing or has a wrong value ({type(error).__name__}: {error})") from error


def merge(seen: SeenJob, before: SeenJob | None, started_at: float | None, now: float) -> SeenJob:
    """Add to a newly read Job what is not in its document: when it ran first, and what was known of it before.

    `started_at` is when its pod started, where that was asked for; times are in seconds since 1970.
    """
    job, known = seen.job, before.job if before else None
    phase, running_at, message = job.phase, job.running_at, job.message
    if phase is JobPhase.PENDING and not seen.suspended and known and known.phase is JobPhase.RUNNING:
        phase = JobPhase.RUNNING  # its pod ended or is not ready for a moment; the Job's condition will tell
    if phase is JobPhase.PENDING:
        asked = known.message if before and known and not before.suspended else ""
        message = _QUEUED if seen.suspended else asked
        running_at = known.running_at if known else None
    elif known and known.running_at is not None:
        running_at = known.running_at
    elif phase is JobPhase.RUNNING:
        running_at = started_at if started_at is not None else now
    deleting = job.deleting or (known is not None and known.deleting)
    return replace(seen, job=replace(job, phase=phase, running_at=running_at, message=message, deleting=deleting))


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
    conditions = {each["type"]: each for each in status.get("conditions") or () if each.get("status") == "True"}
    started = status.get("startTime")
    started_at = None if started is None else parse_time(started)
    if (complete := conditions.get("Complete")) is not None:
        ended_at = parse_time(status.get("completionTime") or complete["lastTransitionTime"])
        return replace(job, phase=JobPhase.COMPLETE, running_at=started_at, ended_at=ended_at, exit_code=0)
    if (failed := conditions.get("Failed")) is not None:
        message = str(failed.get("message") or failed.get("reason") or "")[:_LONGEST_MESSAGE]
        code = _EXIT_CODE.search(message)
        return replace(
            job,
            phase=JobPhase.FAILED,
            running_at=started_at,
            ended_at=parse_time(failed["lastTransitionTime"]),
            exit_code=int(code.group(1)) if code else None,
            message=message,
        )
    # A pod that ended is counted before the condition comes: its Job is not waiting for a pod to start.
    has_run = any((status.get(count) or 0) >= 1 for count in ("ready", "succeeded", "failed"))
    return replace(job, phase=JobPhase.RUNNING) if has_run else job
