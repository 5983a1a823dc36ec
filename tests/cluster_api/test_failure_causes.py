"""Why a Job's pod ended, asked of a stub of the API server and found in whatever pods say."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import given

from tests.cluster_api.manifests import job_manifest
from tests.cluster_api.test_job_view import STUDY, TIME, json_values
from tests.fakes import FakeClock
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.failure_causes import FailureCauses, pod_cause
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.errors import ClusterUnavailable

DISRUPTED = "Pod team/x has condition DisruptionTarget matching FailJob rule at index 0"
PREEMPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}


class Pods(ClusterClient):
    """Answers every request with the same pods, or with an outage."""

    def __init__(self, *statuses: dict[str, Any], away: bool = False, event: str = "Killing") -> None:
        self.statuses, self.away, self.event = statuses, away, event
        self.asked: list[str] = []

    async def request(self, verb: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        params = options["params"]
        self.asked.append(f"{verb} {path} {params.get('labelSelector') or params['fieldSelector']}")
        if self.away:
            raise ClusterUnavailable("away")
        if path.endswith("/events"):
            return {"items": [{"reason": "Scheduled"}, {"reason": self.event}]}
        return {"items": [{"status": status} for status in self.statuses]}


def failing_job(kind: str, message: str = DISRUPTED) -> dict[str, Any]:
    job = job_manifest(STUDY, 0)
    job["metadata"].update({"uid": "a", "creationTimestamp": TIME})
    condition = {"type": kind, "status": "True", "message": message, "lastTransitionTime": TIME}
    return {**job, "status": {"conditions": [condition], "startTime": TIME}}


async def cause_after(pods: Pods, *documents: dict[str, Any]) -> str | None:
    cache = JobCache(FakeClock(), lambda _uid: None)
    causes = asyncio.create_task(FailureCauses(pods, cache).run())
    for document in documents:
        cache.put(document)
        await asyncio.sleep(0.01)
    causes.cancel()
    (job,) = cache.observed(STUDY)
    return job.cause


async def test_a_disrupted_jobs_pod_is_asked_once() -> None:
    pods = Pods({}, PREEMPTED)
    cause = await cause_after(pods, failing_job("FailureTarget"), failing_job("FailureTarget"), failing_job("Failed"))
    assert cause == "PreemptionByScheduler"
    assert pods.asked == [
        "GET /api/v1/namespaces/team/pods batch.kubernetes.io/job-name=digits-6f9619ff-0-1",
    ]


async def test_a_job_whose_pod_is_gone_or_can_not_be_asked_is_answered_all_the_same() -> None:
    assert await cause_after(Pods(), failing_job("Failed")) == ""
    assert await cause_after(Pods(away=True), failing_job("Failed")) == ""


async def test_whoever_reads_the_log_finds_the_trial_whose_end_stays_unclear(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await cause_after(Pods(away=True), failing_job("Failed"))
    (record,) = caplog.records
    about = [getattr(record, field) for field in ("namespace", "study", "trial", "attempt")]
    assert about == ["team", "digits", 0, 1]


async def test_a_pod_that_is_gone_has_left_events() -> None:
    pods = Pods(event="TaintManagerEviction")
    assert await cause_after(pods, failing_job("Failed")) == "DeletionByTaintManager"
    assert pods.asked[-1] == ("GET /api/v1/namespaces/team/events involvedObject.kind=Pod,involvedObject.name=x")


async def test_a_pod_that_is_told_to_end_is_asked_before_it_is_gone() -> None:
    leaving = failing_job("Suspended")
    leaving["status"] = {"terminating": 1, "ready": 0, "active": 0}
    pods = Pods(PREEMPTED)
    assert await cause_after(pods, leaving) == "PreemptionByScheduler"
    pods.statuses = ()
    assert await cause_after(pods, leaving, failing_job("Failed")) == ""


async def test_what_a_leaving_pod_said_is_remembered_when_its_job_has_failed() -> None:
    leaving = failing_job("Suspended")
    leaving["status"] = {"terminating": 1, "ready": 0}
    pods = Pods(PREEMPTED)
    assert await cause_after(pods, leaving, failing_job("Failed")) == "PreemptionByScheduler"
    assert len(pods.asked) == 1


async def test_a_plain_failure_asks_nobody() -> None:
    pods = Pods(PREEMPTED)
    words = "Container trainer for pod team/x failed with exit code 1 matching FailJob rule at index 1"
    assert await cause_after(pods, failing_job("Failed", words)) is None
    assert pods.asked == []


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (PREEMPTED, "PreemptionByScheduler"),
        ({"conditions": [{"type": "DisruptionTarget", "status": "False", "reason": "x"}]}, ""),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}, "OOMKilled"),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "Error", "exitCode": 137}}}]}, ""),
        ({}, ""),
    ],
)
def test_a_pod_says_why_it_ended(status: dict[str, Any], cause: str) -> None:
    assert pod_cause({"status": status}) == cause


@given(status=json_values)
def test_nonsense_in_a_pods_status_is_no_cause(status: Any) -> None:
    assert isinstance(pod_cause({"status": status}), str)
