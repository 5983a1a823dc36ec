"""Each rule complains about what it is there for, and about nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.cluster_view import ClusterView
from tests.faults.invariants import ALWAYS, AT_REST, Snapshot, violations
from tests.faults.storage_view import StorageView, StoredTrial
from tests.faults.studies import simulated_study
from tests.faults.trainer import Acknowledged, TrainerPlan
from tests.support.audit import AuditEvent

UID = "0123abcd-0000-0000-0000-000000000000"
OTHER = "9999ffff-0000-0000-0000-000000000000"


def stored(number: int, state: str = "COMPLETE", attempt: int = 1, x: float = 0.5) -> StoredTrial:
    return StoredTrial(UID, number, state, attempt, x)


def job(number: int, attempt: int = 1, *, uid: str = UID, x: float = 0.5, ended: bool = True) -> dict[str, Any]:
    labels = {"study-uid": uid, "trial": str(number), "attempt": str(attempt)}
    conditions = [{"type": "Complete", "status": "True"}] if ended else []
    return {
        "metadata": {
            "name": f"s-0123abcd-{number}-{attempt}",
            "uid": f"job-{number}-{attempt}",
            "labels": {f"tuning-operator.io/{name}": value for name, value in labels.items()},
            "annotations": {"tuning-operator.io/parameters": f'{{"x": {x}}}'},
        },
        "status": {"conditions": conditions},
    }


def pod(number: int, phase: str, owner: str) -> dict[str, Any]:
    metadata = {**job(number)["metadata"], "ownerReferences": [{"uid": owner}]}
    return {"metadata": metadata, "status": {"phase": phase}}


def study(phase: str = "Complete", complete: int = 2, prints: bool = False, **spec: Any) -> dict[str, Any]:
    conditions = [{"type": phase, "status": "True", "reason": "MaxTrialsReached"}]
    made = simulated_study("s", TrainerPlan("", prints=prints), "1h", {})
    status = {"phase": phase, "trials": {"complete": complete}, "conditions": conditions}
    return {
        "metadata": {"name": "s", "uid": UID},
        "spec": {**made["spec"], "parallelism": 2, "maxTrials": 4, **spec},
        "status": status,
    }


def created(name: str) -> AuditEvent:
    return AuditEvent("operator", "create", "jobs", "ns", name, "/jobs", 201, "", 0, 0)


END = {"regarding": {"uid": UID}, "reason": "MaxTrialsReached"}
TOLD = Acknowledged(UID, 0, 1, 1, 0.25)
REPORTS = {(UID, 0, 1, 1): {"score": 0.25}}
GOOD = Snapshot(
    acknowledged=(TOLD, Acknowledged(UID, 0, 1)),
    cluster=ClusterView([job(0), job(1)], [pod(0, "Succeeded", "job-0-1")], [study()], [END]),
    storage=StorageView([stored(0), stored(1)], REPORTS),
    before=StorageView([stored(0), stored(1, "RUNNING")]),
    requests=(created("s-0123abcd-0-1"), created("s-0123abcd-1-1")),
)


def trials(*of: StoredTrial) -> Callable[[Snapshot], Snapshot]:
    return lambda now: replace(now, storage=StorageView(of, REPORTS))


def cluster(**fields: Any) -> Callable[[Snapshot], Snapshot]:
    return lambda now: replace(now, cluster=replace(now.cluster, **fields))


def test_a_good_end_violates_nothing() -> None:
    assert violations(GOOD, (*ALWAYS, *AT_REST)) == []


VIOLATIONS: list[tuple[str, Callable[[Snapshot], Snapshot]]] = [
    ("numbers_are_consecutive", trials(stored(0), stored(1), stored(1))),
    ("numbers_are_consecutive", trials(stored(0), stored(1), stored(3))),
    ("no_trial_is_lost_or_ends_twice", trials(stored(0))),
    ("no_trial_is_lost_or_ends_twice", trials(stored(0, "FAIL"), stored(1))),
    ("no_trial_is_lost_or_ends_twice", trials(stored(0), stored(1, x=0.6))),
    ("acknowledged_reports_are_stored", lambda now: replace(now, storage=StorageView(now.storage.trials))),
    ("acknowledged_reports_are_stored", lambda now: replace(now, acknowledged=[replace(TOLD, value=0.3)])),
    ("an_attempt_has_one_job", cluster(jobs=[job(0), job(0), job(1)])),
    ("jobs_follow_the_storage", cluster(jobs=[job(0), job(1), job(2)])),
    ("jobs_follow_the_storage", cluster(jobs=[job(0), job(1, attempt=2)])),
    ("jobs_follow_the_storage", cluster(jobs=[job(0, x=0.7), job(1)])),
    ("open_trials_fit_into_parallelism", trials(*(stored(number, "RUNNING") for number in range(3)))),
    ("trials_fit_into_max_trials", trials(*(stored(number) for number in range(5)))),
    ("studies_have_ended", cluster(studies=[study("Running")])),
    ("studies_have_ended", trials(stored(0), stored(1, "RUNNING"))),
    ("acknowledged_ends_count", trials(stored(0, "FAIL"), stored(1))),
    ("printed_scores_are_stored", cluster(studies=[study(prints=True)])),
    ("status_agrees_with_the_storage", cluster(studies=[study(complete=1)])),
    ("no_job_or_pod_is_left_over", cluster(jobs=[job(0, uid=OTHER), job(1)])),
    ("no_job_or_pod_is_left_over", cluster(jobs=[job(0, ended=False), job(1)])),
    ("no_job_or_pod_is_left_over", cluster(pods=[pod(0, "Succeeded", "nobody")])),
    ("no_job_or_pod_is_left_over", cluster(pods=[pod(0, "Running", "job-0-1")])),
    ("the_end_is_announced_once", cluster(events=[END, END])),
    ("every_job_was_a_stored_attempts", lambda now: replace(now, requests=[created("s-0123abcd-1-2")])),
    ("every_job_was_a_stored_attempts", lambda now: replace(now, requests=[created("s-0123abcd-1-1-twin")])),
]


@pytest.mark.parametrize(("rule", "spoil"), VIOLATIONS)
def test_a_violation_is_found(rule: str, spoil: Callable[[Snapshot], Snapshot]) -> None:
    assert rule in {sentence.partition(":")[0] for sentence in violations(spoil(GOOD), (*ALWAYS, *AT_REST))}


def test_each_rule_has_a_violation_here() -> None:
    assert {rule.__name__ for rule in (*ALWAYS, *AT_REST)} == {name for name, _ in VIOLATIONS}
