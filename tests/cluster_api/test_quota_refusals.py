"""Which refusals of a Job pass by themselves."""

from __future__ import annotations

import json

import pytest

from tests.cluster_api.fake_api_server import FakeApiServer, Fault
from tests.cluster_api.manifests import job_manifest
from tests.fakes import FakeClock
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.trial_jobs import ClusterTrialJobs
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import ClusterUnavailable, JobRefused, TuningError

STUDY = StudyKey("team", "digits", "0123abcd")


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("exceeded quota: gpus, requested: count/jobs.batch=1, used: 4, limited: 4", ClusterUnavailable),
        ("status unknown for quota: gpus, resources: count/jobs.batch", ClusterUnavailable),
        ("admission webhook denied the request: no owner label", JobRefused),
    ],
)
async def test_a_quota_without_room_is_tried_again_soon_and_a_policy_is_not(
    message: str, meaning: type[TuningError]
) -> None:
    async with FakeApiServer() as server, ClusterClient(lambda: server.credentials) as client:
        server.faults.append(Fault("POST", 403, json.dumps({"kind": "Status", "message": message}).encode()))
        jobs = ClusterTrialJobs(client, JobCache(FakeClock(), lambda _: None))
        with pytest.raises(meaning, match=message):
            await jobs.create(STUDY, job_manifest(STUDY, 0))
