"""The watch of Jobs, against an API server that misbehaves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cluster_api.conftest import following
from tests.cluster_api.fake_api_server import FakeApiServer, Fault
from tests.cluster_api.manifests import job_manifest
from tests.cluster_api.trial_jobs_suite import until
from tests.fakes import FakeClock
from tuning_operator.api.names import ATTEMPT_LABEL, TRIAL_LABEL
from tuning_operator.cluster import job_watch
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.job_watch import JobWatch
from tuning_operator.cluster.trial_jobs import ClusterTrialJobs
from tuning_operator.decisions.seen_jobs import JobPhase
from tuning_operator.decisions.snapshot import StudyKey

STUDY = StudyKey("team", "digits", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_watch, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(job_watch, "LONGEST_PAUSE", 0.1)


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """An API server with a Job of trial 0."""
    async with FakeApiServer() as server:
        server.put(job_manifest(STUDY, 0))
        yield server


class Followed:
    """A cache that a watch keeps up to date."""

    def __init__(self, client: ClusterClient) -> None:
        self.changes: list[str] = []
        self.clock = FakeClock()
        self.cache = JobCache(self.clock, self.changes.append)
        self.jobs = ClusterTrialJobs(client, self.cache)

    @property
    def trials(self) -> list[int]:
        """The trials whose Jobs are in the cache."""
        return sorted(job.trial for job in self.cache.observed(STUDY))

    @property
    def phases(self) -> list[JobPhase]:
        """The phases of their Jobs."""
        return [job.phase for job in sorted(self.cache.observed(STUDY), key=lambda job: job.trial)]

    async def until_trials(self, *trials: int) -> None:
        """Wait for the cache to have exactly these."""
        await until(lambda: self.trials == list(trials), f"the Jobs never were those of {trials}")


@asynccontextmanager
async def followed(
    server: FakeApiServer, *, relist_seconds: float = 300.0, silence: float = 30.0
) -> AsyncIterator[Followed]:
    """Follow the fake's Jobs."""
    async with ClusterClient(lambda: server.credentials) as client:
        found = Followed(client)
        watch = JobWatch(client, found.cache, relist_seconds=relist_seconds, silence=silence)
        async with following(watch):
            yield found


async def test_jobs_that_were_there_and_jobs_that_come_are_seen(server: FakeApiServer) -> None:
    async with followed(server) as found:
        assert found.trials == [0]
        server.put(job_manifest(STUDY, 1))
        await found.until_trials(0, 1)
        server.remove(server.jobs.copy().popitem()[0])
        await found.until_trials(0)
        assert found.cache.vanished(STUDY) == {(1, 1)}
        assert set(found.changes) == {STUDY.uid}
        assert server.count("GET", "/jobs") == 1


async def test_a_list_of_many_pages_is_read_to_its_end(server: FakeApiServer) -> None:
    for trial in range(1, 7):
        server.put(job_manifest(STUDY, trial))
    server.page_size = 2
    async with followed(server) as found:
        assert found.trials == [0, 1, 2, 3, 4, 5, 6]


async def test_jobs_that_were_deleted_in_a_gap_vanish(server: FakeApiServer) -> None:
    server.put(job_manifest(STUDY, 1))
    async with followed(server) as found:
        server.fail(Fault("WATCH", 503, times=3))
        server.end_watches()
        await until(lambda: server.count("WATCH") >= 2, "the watch did not try again")
        server.remove("digits-6f9619ff-0-1")
        server.put(job_manifest(STUDY, 2))
        server.compact()
        await found.until_trials(1, 2)
        assert found.cache.vanished(STUDY) == {(0, 1)}


async def test_a_watch_that_ends_goes_on_where_it_was_without_a_list(server: FakeApiServer) -> None:
    async with followed(server) as found:
        server.put(job_manifest(STUDY, 1))
        await found.until_trials(0, 1)
        server.end_watches()
        server.put(job_manifest(STUDY, 2))
        await found.until_trials(0, 1, 2)
        assert server.count("GET", "/jobs") == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "ERROR", "object": {"code": 500, "message": "too large resource version"}}\n',
        b'{"type": "ERROR", "object": {"code": "x"}}\n',
        b'{"type": "ADDED", "object": {}}\n',
        b'{"type": "ADDED", "object": 7}\n',
        b"<html>502 Bad Gateway</html>\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
    ids=["error", "odd error", "no metadata", "no object", "html", "no event", "no text", "deep"],
)
async def test_whatever_the_watch_sends_it_goes_on(server: FakeApiServer, line: bytes) -> None:
    async with followed(server) as found:
        await until(lambda: server.count("WATCH") == 1, "there is no watch")
        server.send_line(line)
        server.put(job_manifest(STUDY, 1))
        await found.until_trials(0, 1)
        server.put(job_manifest(STUDY, 2))
        await found.until_trials(0, 1, 2)


@pytest.mark.parametrize("status", [403, 404, 410, 429, 500])
async def test_an_outage_is_waited_out_and_logged_once(
    server: FakeApiServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with followed(server) as found:
        server.fail(Fault("WATCH", status, times=5))
        server.end_watches()
        await until(lambda: not server.faults, "the watch did not try again")
        server.put(job_manifest(STUDY, 1))
        await found.until_trials(0, 1)
    complaints = [record for record in caplog.records if "can't be followed" in record.message]
    assert len(complaints) <= 1
    assert status == 410 or len(complaints) == 1


async def test_a_list_that_fails_at_the_start_is_tried_again(server: FakeApiServer) -> None:
    server.fail(Fault("GET", 500, times=7), Fault("GET", 200, b"not json"), Fault("GET", 200, b'{"items": []}'))
    async with followed(server) as found:
        assert found.trials == [0]


async def test_a_silent_connection_counts_as_dead(server: FakeApiServer) -> None:
    async with followed(server, silence=0.2) as found:
        await until(lambda: server.count("WATCH") == 1, "there is no watch")
        server.silent = True
        server.put(job_manifest(STUDY, 1))
        await until(lambda: server.count("WATCH") >= 2, "the silent watch is kept")
        server.silent = False
        await found.until_trials(0, 1)


async def test_the_regular_list_finds_what_the_watch_never_told(server: FakeApiServer) -> None:
    async with followed(server, relist_seconds=0.3) as found:
        del server.jobs["digits-6f9619ff-0-1"]
        await found.until_trials()
        assert found.cache.vanished(STUDY) == {(0, 1)}


async def test_a_job_created_while_a_list_is_under_way_stays(server: FakeApiServer) -> None:
    async with ClusterClient(lambda: server.credentials) as client:
        found = Followed(client)
        created: dict[str, Any] = {}

        def create_now() -> None:
            if not created:
                created.update(server.put(job_manifest(STUDY, 1)))
                found.cache.put_created(created)

        server.on_list = create_now
        async with following(JobWatch(client, found.cache)):
            assert found.trials == [0, 1]
            await until(lambda: server.count("WATCH") == 1, "there is no watch")
            assert not found.cache.vanished(STUDY)


@pytest.mark.parametrize(
    "labels",
    [{TRIAL_LABEL: "-1"}, {TRIAL_LABEL: "1e9"}, {TRIAL_LABEL: "9" * 40}, {ATTEMPT_LABEL: "7"}, {ATTEMPT_LABEL: "x"}],
)
async def test_a_poisoned_job_is_logged_once_and_harms_no_other(
    server: FakeApiServer, labels: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    poisoned = job_manifest(STUDY, 1)
    poisoned["metadata"]["labels"] = {**poisoned["metadata"]["labels"], **labels}
    server.put(poisoned)
    async with followed(server) as found:
        server.put({**poisoned, "status": {"ready": 1}})
        server.put(job_manifest(STUDY, 2))
        await found.until_trials(0, 2)
    assert len([record for record in caplog.records if "left alone" in record.message]) == 1


async def test_a_job_whose_labels_are_spoilt_later_is_no_trials_any_more(server: FakeApiServer) -> None:
    async with followed(server) as found:
        spoilt = server.jobs["digits-6f9619ff-0-1"]
        server.put({**spoilt, "metadata": {**spoilt["metadata"], "labels": {}}})
        await found.until_trials()


async def test_a_job_that_ran_before_the_operator_started_has_its_pods_start(server: FakeApiServer) -> None:
    job = server.jobs["digits-6f9619ff-0-1"]
    server.put({**job, "metadata": {**job["metadata"], "creationTimestamp": "2027-01-15T06:00:00Z"}})
    server.set_status("digits-6f9619ff-0-1", ready=1)
    owner = {"kind": "Job", "uid": "uid-of-digits-6f9619ff-0-1"}
    state = {"state": {"running": {"startedAt": "2027-01-15T07:00:00Z"}}}
    server.pods = [
        {"metadata": {"ownerReferences": [owner]}, "status": {"containerStatuses": [state]}},
        {"metadata": {}},
    ]
    async with followed(server) as found:
        (job,) = found.cache.observed(STUDY)
        assert job.running_at == 1_800_000_000.0 - 3600.0
        server.set_status("digits-6f9619ff-0-1", ready=1, active=1)
        server.put(job_manifest(STUDY, 1))
        await found.until_trials(0, 1)
        assert server.count("GET", "/pods") == 1


async def test_a_post_whose_answer_is_lost_succeeds(server: FakeApiServer) -> None:
    async with followed(server) as found:
        server.fail(Fault("POST", after=True, drop=True))
        await found.jobs.create(STUDY, job_manifest(STUDY, 1))
        assert found.trials == [0, 1]
        assert server.count("POST") == 2


async def test_an_answer_that_comes_after_the_jobs_deletion_brings_no_job_back(server: FakeApiServer) -> None:
    async with followed(server) as found:
        created = server.put(job_manifest(STUDY, 1))
        await found.until_trials(0, 1)
        server.remove(created["metadata"]["name"])
        await found.until_trials(0)
        found.cache.put_created(created)
        assert found.trials == [0]


async def test_a_job_stays_running_until_its_condition_comes(server: FakeApiServer) -> None:
    async with followed(server) as found:
        server.set_status("digits-6f9619ff-0-1", ready=1)
        await until(lambda: found.phases == [JobPhase.RUNNING], "the Job does not run")
        server.set_status("digits-6f9619ff-0-1", ready=0, active=0)
        server.put(job_manifest(STUDY, 1))
        await found.until_trials(0, 1)
        assert found.phases == [JobPhase.RUNNING, JobPhase.PENDING]


async def test_a_queue_takes_a_jobs_pod_and_its_clocks_stand(server: FakeApiServer) -> None:
    async with followed(server) as found:
        server.set_status("digits-6f9619ff-0-1", ready=1)
        await until(lambda: found.phases == [JobPhase.RUNNING], "the Job does not run")
        found.clock.advance(42)
        job = server.jobs["digits-6f9619ff-0-1"]
        server.put({**job, "spec": {**job["spec"], "suspend": True}, "status": {}})
        await until(lambda: found.phases == [JobPhase.SUSPENDED], "the Job is not suspended")
        (seen,) = found.cache.observed(STUDY)
        assert "suspended" in seen.message
        assert seen.running_at is None
        ((began, ended),) = seen.earlier_pods
        assert ended - began == 42


async def test_a_job_that_a_queue_lets_go_again_waits_from_then_on(server: FakeApiServer) -> None:
    async with followed(server) as found:
        job = server.jobs["digits-6f9619ff-0-1"]
        server.put({**job, "spec": {**job["spec"], "suspend": True}, "status": {}})
        await until(lambda: found.phases == [JobPhase.SUSPENDED], "the Job is not suspended")
        released = {"type": "Suspended", "status": "False", "lastTransitionTime": "2030-01-01T00:00:00Z"}
        spec = {**job["spec"], "suspend": False}
        server.put({**job, "spec": spec, "status": {"conditions": [released]}})
        await until(lambda: found.phases == [JobPhase.PENDING], "the Job is not pending")
        (seen,) = found.cache.observed(STUDY)
        assert seen.waiting_since == datetime(2030, 1, 1, tzinfo=UTC).timestamp()
        assert seen.message == ""
