"""What must hold whatever breaks. Each rule returns sentences about what does not.

`ALWAYS` holds at every moment, `AT_REST` once every study has ended and the cluster's controllers have caught up. A
snapshot is read in the order of its fields, so that a later one may know more than an earlier one and never less.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.faults.cluster_view import (
    ENDED,
    LABEL,
    Attempt,
    ClusterView,
    attempt_of,
    has_ended,
    is_active,
    name_of,
    uid_of,
)
from tests.faults.storage_view import StorageView, StoredTrial
from tests.faults.studies import plan_of
from tests.faults.trainer import METRIC, Acknowledged, score
from tests.support.audit import AuditEvent

_STATES = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
"""Counter of a study's status -> state in Optuna's tables."""


@dataclass(frozen=True)
class Snapshot:
    """All that is known at one moment."""

    acknowledged: Sequence[Acknowledged] = ()
    """What trainers were told, in its order."""
    cluster: ClusterView = field(default_factory=ClusterView)
    storage: StorageView = field(default_factory=StorageView)
    before: StorageView = field(default_factory=StorageView)
    """The storage as it was seen last."""
    requests: Sequence[AuditEvent] = ()
    """The operators', from the API server's audit log; only at rest."""

    def stored(self) -> dict[tuple[str, int], StoredTrial]:
        """Return the stored trials by study and number."""
        return {(trial.study_uid, trial.number): trial for trial in self.storage.trials}


Rule = Callable[[Snapshot], Iterator[str]]


def numbers_are_consecutive(now: Snapshot) -> Iterator[str]:
    """Trial numbers are unique and have no gaps."""
    for uid in {trial.study_uid for trial in now.storage.trials}:
        numbers = [trial.number for trial in now.storage.of_study(uid)]
        if numbers != list(range(len(numbers))):
            yield f"the study {uid} has trials with the numbers {numbers}"


def no_trial_is_lost_or_ends_twice(now: Snapshot) -> Iterator[str]:
    """A stored trial stays, and once it has ended it stays as it is."""
    stored = now.stored()
    for before in now.before.trials:
        trial = stored.get((before.study_uid, before.number))
        if trial is None:
            yield f"trial {before.number} of study {before.study_uid} was in the storage and is gone"
        elif (not before.is_open and trial != before) or trial.attempt < before.attempt or trial.x != before.x:
            yield f"a stored trial became another: {before} is now {trial}"


def acknowledged_reports_are_stored(now: Snapshot) -> Iterator[str]:
    """Whatever a trainer was told to be stored is stored, with its value."""
    for told in now.acknowledged:
        if told.step is None:
            continue
        values = now.storage.reports.get((told.study_uid, told.trial, told.attempt, told.step))
        if values is None:
            yield f"a report was acknowledged and is not stored: {told}"
        elif values != {METRIC: told.value}:
            yield f"a report was acknowledged and is stored as {values}: {told}"


def an_attempt_has_one_job(now: Snapshot) -> Iterator[str]:
    """No two Jobs belong to the same attempt."""
    for attempt, count in Counter(map(attempt_of, now.cluster.jobs)).items():
        if count > 1:
            yield f"attempt {_words(attempt)} has {count} Jobs"


def jobs_follow_the_storage(now: Snapshot) -> Iterator[str]:
    """An attempt is stored before its Job is created, and the Job has the stored parameters."""
    stored = now.stored()
    for job in now.cluster.jobs:
        uid, number, attempt = attempt_of(job)
        trial = stored.get((uid, number))
        if trial is None or trial.attempt < attempt:
            yield f"the Job {name_of(job)} exists, and its attempt is not stored"
            continue
        x = json.loads(job["metadata"]["annotations"][f"{LABEL}parameters"]).get("x")
        if x != trial.x:
            yield f"the Job {name_of(job)} has x={x}, the storage has {trial.x}"


def open_trials_fit_into_parallelism(now: Snapshot) -> Iterator[str]:
    """Never more than `parallelism` trials have not ended."""
    for study in now.cluster.studies:
        count = sum(trial.is_open for trial in now.storage.of_study(uid_of(study)))
        if count > study["spec"]["parallelism"]:
            yield f"the study {name_of(study)} has {count} trials that have not ended, and parallelism is smaller"


def trials_fit_into_max_trials(now: Snapshot) -> Iterator[str]:
    """Never more than `maxTrials` trials are asked for."""
    for study in now.cluster.studies:
        count = len(now.storage.of_study(uid_of(study)))
        if count > study["spec"]["maxTrials"]:
            yield f"the study {name_of(study)} has {count} trials, and maxTrials is smaller"


ALWAYS: Sequence[Rule] = (
    numbers_are_consecutive,
    no_trial_is_lost_or_ends_twice,
    acknowledged_reports_are_stored,
    an_attempt_has_one_job,
    jobs_follow_the_storage,
    open_trials_fit_into_parallelism,
    trials_fit_into_max_trials,
)


def studies_have_ended(now: Snapshot) -> Iterator[str]:
    """Every study ends, with all its trials told."""
    for study in now.cluster.studies:
        is_open = [trial.number for trial in now.storage.of_study(uid_of(study)) if trial.is_open]
        if not has_ended(study):
            phase = study.get("status", {}).get("phase")
            yield f"the study {name_of(study)} does not end: it is {phase}, its trials {is_open} are open"
        elif is_open:
            yield f"the study {name_of(study)} has ended, and its trials {is_open} have not"


def acknowledged_ends_count(now: Snapshot) -> Iterator[str]:
    """A trial whose last message was taken is complete, however it went on."""
    stored, existing = now.stored(), set(map(uid_of, now.cluster.studies))
    for told in now.acknowledged:
        if told.step is None and told.study_uid in existing:
            trial = stored.get((told.study_uid, told.trial))
            if trial is None or trial.state != "COMPLETE":
                yield f"a trial's completion was acknowledged, and it is stored as {trial}: {told}"


def printed_scores_are_stored(now: Snapshot) -> Iterator[str]:
    """A trial that is complete, and whose scores were read from its log, has all that its last attempt printed."""
    for study in now.cluster.studies:
        plan = plan_of(study)
        complete = (trial for trial in now.storage.of_study(uid_of(study)) if trial.state == "COMPLETE")
        for trial in complete if plan.prints else ():
            for step in range(1, plan.steps + 1):
                values = now.storage.reports.get((trial.study_uid, trial.number, trial.attempt, step))
                if trial.x is None or values != {METRIC: score(trial.x, trial.attempt, step)}:
                    yield f"step {step} of the complete trial {trial.number} of {name_of(study)} is stored as {values}"


def status_agrees_with_the_storage(now: Snapshot) -> Iterator[str]:
    """The status counts what is stored."""
    for study in now.cluster.studies:
        states = Counter(trial.state for trial in now.storage.of_study(uid_of(study)))
        shown = study.get("status", {}).get("trials", {})
        expected = {name: states[state] for name, state in _STATES.items()}
        counted = {name: shown.get(name, 0) for name in _STATES}
        if counted != expected:
            yield f"the study {name_of(study)} shows {counted}, and the storage has {expected}"


def no_job_or_pod_is_left_over(now: Snapshot) -> Iterator[str]:
    """Nothing runs any more, and nothing is left of studies that were deleted."""
    studies, jobs = set(map(uid_of, now.cluster.studies)), set(map(uid_of, now.cluster.jobs))
    for job in now.cluster.jobs:
        if attempt_of(job)[0] not in studies:
            yield f"the Job {name_of(job)} has no study any more"
        elif is_active(job):
            yield f"the Job {name_of(job)} is active, and its study has ended"
    for pod in now.cluster.pods:
        if not any(owner["uid"] in jobs for owner in pod["metadata"].get("ownerReferences", ())):
            yield f"the pod {name_of(pod)} has no Job any more"
        elif pod.get("status", {}).get("phase") in ("Pending", "Running"):
            yield f"the pod {name_of(pod)} is still there, and its study has ended"


def the_end_is_announced_once(now: Snapshot) -> Iterator[str]:
    """There is at most one Event of a study's end; none, if the operator was killed before it."""
    for study in now.cluster.studies:
        conditions = study.get("status", {}).get("conditions", ())
        reasons = [each["reason"] for each in conditions if each["type"] in ENDED and each["status"] == "True"]
        about = [event for event in now.cluster.events if event.get("regarding", {}).get("uid") == uid_of(study)]
        found = [event["reason"] for event in about if event["reason"] in reasons]
        if len(found) > 1:
            yield f"the end of study {name_of(study)} is announced {len(found)} times"


def every_job_was_a_stored_attempts(now: Snapshot) -> Iterator[str]:
    """Of all Jobs that were ever created, each had the name of an attempt that is stored."""
    names = {
        f"{trial.study_uid.replace('-', '')[:8]}-{trial.number}-{attempt}"
        for trial in now.storage.trials
        for attempt in range(1, trial.attempt + 1)
    }
    for request in _created_jobs(now.requests):
        if "-".join(request.name.rsplit("-", 3)[-3:]) not in names:
            yield f"a Job {request.name} was created, and no such attempt is stored"


AT_REST: Sequence[Rule] = (
    studies_have_ended,
    acknowledged_ends_count,
    printed_scores_are_stored,
    status_agrees_with_the_storage,
    no_job_or_pod_is_left_over,
    the_end_is_announced_once,
    every_job_was_a_stored_attempts,
)


def violations(now: Snapshot, rules: Sequence[Rule]) -> list[str]:
    """Return a sentence for each violation, with the name of its rule."""
    return [f"{rule.__name__}: {sentence}" for rule in rules for sentence in rule(now)]


def _created_jobs(requests: Sequence[AuditEvent]) -> Iterator[AuditEvent]:
    for request in requests:
        if (request.verb, request.resource, request.code) == ("create", "jobs", 201) and "dryRun" not in request.uri:
            yield request


def _words(attempt: Attempt) -> str:
    uid, number, count = attempt
    return f"{count} of trial {number} of study {uid}"
