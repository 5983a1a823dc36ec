"""What people may change of Jobs: labels, annotations, names, owners."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from tests.builders import STUDY
from tests.cluster_api.manifests import job_manifest
from tests.fuzz.mutations import fuzzed, mutated
from tuning_operator.api.names import job_name
from tuning_operator.cluster.job_view import UnreadableJob, has_running_pod, merge, read_job

MANIFEST = job_manifest(STUDY, 7, 2)
METADATA = {**MANIFEST["metadata"], "uid": "job-uid", "creationTimestamp": "2027-01-15T08:00:00Z"}
FAILED = {"type": "Failed", "status": "True", "lastTransitionTime": "2027-01-15T08:05:00Z", "message": "exit code 3"}
JOB: dict[str, Any] = {
    **MANIFEST,
    "metadata": METADATA,
    "status": {"startTime": "2027-01-15T08:00:01Z", "failed": 1, "conditions": [FAILED]},
}


def test_the_unchanged_job_is_read() -> None:
    assert (read_job(JOB).job.trial, read_job(JOB).job.attempt) == (7, 2)


@fuzzed
@given(mutated(JOB))
def test_a_job_is_read_as_that_of_one_attempt_or_not_at_all(document: Any) -> None:
    has_running_pod(document)
    try:
        seen = read_job(document)
    except UnreadableJob:
        return
    merge(seen, None, None, now=0.0)
    owner = document["metadata"]["ownerReferences"][0]["name"]
    assert seen.job.name == job_name(owner, seen.study_uid, seen.job.trial, seen.job.attempt)
