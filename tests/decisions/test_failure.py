from __future__ import annotations

import pytest

from tests.builders import job
from tuning_operator.decisions.failure import failure_of, start_failure_of


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"disrupted": True, "cause": "PreemptionByScheduler"}, "Preempted"),
        ({"disrupted": True, "cause": "EvictionByEvictionAPI"}, "Evicted"),
        ({"disrupted": True, "cause": "TerminationByKubelet"}, "Evicted"),
        ({"disrupted": True, "cause": "DeletionByTaintManager"}, "NodeLost"),
        ({"disrupted": True, "cause": "DeletionByPodGC"}, "NodeLost"),
        ({"disrupted": True, "cause": ""}, "Evicted"),
        ({"exit_code": 137, "cause": "OOMKilled"}, "OutOfMemory"),
        ({"exit_code": 137, "cause": ""}, "Error"),
        ({"exit_code": 143}, "Evicted"),
        ({"exit_code": 75}, "ReportsLost"),
        ({"exit_code": 1}, "Error"),
        ({"message": "Job has reached the specified backoff limit"}, "Error"),
    ],
)
def test_a_failed_job_has_a_class(fields: dict[str, object], failure: str) -> None:
    found, message = failure_of(job(phase="Failed", **fields))
    assert found == failure
    assert message


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        ("ErrImagePull: no such image", "ImageProblem"),
        ("ImagePullBackOff: Back-off pulling image", "ImageProblem"),
        ("InvalidImageName: couldn't parse", "ImageProblem"),
        ("Unschedulable: 0/3 nodes are available", "StartDeadlineExceeded"),
        ("", "StartDeadlineExceeded"),
    ],
)
def test_what_keeps_a_pod_from_starting_has_a_class(message: str, failure: str) -> None:
    found, sentence = start_failure_of(job(phase="Pending", message=message), "30m")
    assert found == failure
    assert sentence == f"no pod of Job digits-11112222-0-1 was running after 30m{': ' + message if message else ''}"


@pytest.mark.parametrize(
    ("phase", "fields", "awaits"),
    [
        ("Failed", {"exit_code": 137, "cause": None}, True),
        ("Failed", {"disrupted": True, "cause": None}, True),
        ("Failed", {"cause": None}, True),
        ("Failed", {"exit_code": 1, "cause": None}, False),
        ("Failed", {"exit_code": 137, "cause": ""}, False),
        ("Running", {"disrupted": True}, True),
        ("Running", {}, False),
        ("Complete", {"exit_code": 0}, False),
    ],
)
def test_only_an_unclear_end_makes_its_pod_be_asked(phase: str, fields: dict[str, object], awaits: bool) -> None:
    assert job(phase=phase, **fields).awaits_cause is awaits
