"""Logs of pods, over everything that breaks on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.builders import spec, spec_document
from tests.cluster_api.fake_api_server import FakeApiServer, Fault
from tests.cluster_api.manifests import job_manifest
from tests.cluster_api.trial_jobs_suite import until
from tests.fakes import FakeClock, FakeTrialRepository
from tests.support.process_node.pod_log import Line, PodLog
from tuning_operator.cluster import pod_logs
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.job_cache import JobCache
from tuning_operator.cluster.pod_logs import PodLogs
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import TooManySteps
from tuning_operator.trial_logs.log_readings import LogReadings

STUDY = StudyKey("team", "digits", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
SPEC = spec(trial={**spec_document()["trial"], "metrics": {"source": "Logs"}})
POD = "digits-pod"
JOB = "digits-6f9619ff-0-1"
JOB_UID = f"uid-of-{JOB}"


def pod(
    name: str = POD, job_uid: str = JOB_UID, created: str = "2026-01-15T08:00:00Z", started: str = ""
) -> dict[str, Any]:
    """Return a pod of the Job, with the time at which its node says that the container started."""
    owner = {"kind": "Job", "uid": job_uid, "controller": True}
    metadata = {"name": name, "creationTimestamp": created, "ownerReferences": [owner]}
    statuses = [{"name": "trainer", "state": {"running": {"startedAt": started}}}] if started else []
    return {"metadata": metadata, "status": {"containerStatuses": [{"name": "other", "state": {}}, *statuses]}}


class FollowedLog:
    """The log of trial 0, read as the operator does."""

    def __init__(self, server: FakeApiServer, client: ClusterClient) -> None:
        self.server = server
        self.log = server.logs[POD] = PodLog()
        self.trials = FakeTrialRepository(SPEC)
        self.cache = JobCache(FakeClock(), lambda _uid: None)
        self.client = client
        self.readings = self.new_operator()
        server.pods = [pod()]
        server.put(job_manifest(STUDY, 0))

    def new_operator(self) -> LogReadings:
        """Return readings that know of no earlier ones."""
        self.readings = LogReadings(PodLogs(self.client, self.cache).read, lambda _uid: None)
        return self.readings

    def look(self, **status: Any) -> None:
        """Let the operator see the Job with a status."""
        self.server.set_status(JOB, **status)
        self.cache.put(self.server.jobs[JOB])
        self.readings.follow(STUDY, SPEC, self.cache.observed(STUDY), self.trials)

    def run(self) -> None:
        """Let the container run."""
        self.look(ready=1)

    def end(self) -> None:
        """Let the container end, and its Job be Complete."""
        self.log.close()
        times = {"startTime": "2026-01-15T08:00:00Z", "completionTime": "2026-01-15T08:01:00Z"}
        self.look(conditions=[{"type": "Complete", "status": "True"}], **times)

    def print(self, *texts: str) -> None:
        """Let the container print lines."""
        for text in texts:
            self.log.write(text.encode() + b"\n")

    @property
    def values(self) -> dict[int, float]:
        """What was reported of the objective, by step."""
        return {report.step: report.values["accuracy"] for report in self.trials.reports(0)}

    @property
    def why_lost(self) -> str | None:
        """Why the log is not read to its end; empty if it is; None while it is read."""
        read = self.readings.read(STUDY)
        if (0, 1) not in read:
            return None
        failure = read[0, 1]
        return "" if failure is None else failure[1]

    async def until_values(self, *values: float) -> None:
        """Wait until these are the values of steps 1, 2, …"""
        await until(lambda: self.values == dict(enumerate(values, 1)), f"{self.values} are reported, not {values}")

    async def until_read(self) -> None:
        """Wait until nobody reads the log any more."""
        await until(lambda: self.why_lost is not None, "the log is still read")


@pytest.fixture
async def followed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FollowedLog]:
    """A log that an impatient operator follows."""
    monkeypatch.setattr(pod_logs, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(pod_logs, "PAUSE_AFTER_END", 0.02)
    monkeypatch.setattr(pod_logs, "LONGEST_PAUSE", 0.05)
    async with FakeApiServer() as server, ClusterClient(lambda: server.credentials) as client:
        followed = FollowedLog(server, client)
        await followed.trials.ask(1)
        yield followed
        await followed.readings.close()


@contextmanager
def told(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Collect what is logged of warnings."""
    caplog.set_level(logging.WARNING)
    said: list[str] = []
    yield said
    said += [record.getMessage() for record in caplog.records]


async def test_lines_are_reported_while_they_come_and_the_last_ones_after_the_end(followed: FollowedLog) -> None:
    followed.print("accuracy=0.1")
    followed.run()
    await followed.until_values(0.1)
    followed.print("accuracy=0.2")
    await followed.until_values(0.1, 0.2)
    followed.log.write(b"accuracy=0.3")
    followed.end()
    await followed.until_read()
    assert followed.values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert followed.why_lost == ""


async def test_the_training_containers_log_is_asked_for_with_times(followed: FollowedLog) -> None:
    followed.end()
    await followed.until_read()
    (query,) = [query for verb, _, query, _ in followed.server.requests if verb == "LOG"]
    assert query == {"container": "trainer", "timestamps": "true"}


async def test_a_stream_that_ends_early_is_opened_again_without_loss_or_repetition(followed: FollowedLog) -> None:
    followed.run()
    for number in range(5):
        followed.print(f"accuracy=0.{number}", "loss=1", "noise")
        await followed.until_values(*(each / 10 for each in range(number + 1)))
        followed.server.end_logs()
    followed.print("accuracy=0.9")
    followed.end()
    await followed.until_read()
    assert followed.values == {1: 0.0, 2: 0.1, 3: 0.2, 4: 0.3, 5: 0.4, 6: 0.9}


async def test_the_end_of_a_stream_is_not_the_end_of_the_log(followed: FollowedLog) -> None:
    followed.run()
    followed.log.close()
    await until(lambda: followed.server.count("LOG") >= 3, "the log is not asked for again")
    assert followed.why_lost is None
    followed.end()
    await followed.until_read()


async def test_another_operator_goes_on_where_the_first_was_killed(followed: FollowedLog) -> None:
    followed.print("accuracy=0.1", "accuracy=0.2")
    followed.run()
    await followed.until_values(0.1, 0.2)
    await followed.readings.close()
    followed.new_operator()
    followed.print("accuracy=0.3")
    followed.run()
    await followed.until_values(0.1, 0.2, 0.3)


async def test_a_rotated_log_is_counted_on(followed: FollowedLog) -> None:
    followed.print("accuracy=0.1", "accuracy=0.2")
    followed.run()
    await followed.until_values(0.1, 0.2)
    kept = [Line(datetime.now(UTC), b"accuracy=0.3\n")]
    followed.log._lines[:] = kept  # the file that is served now
    followed.server.end_logs()
    followed.end()
    await followed.until_read()
    assert followed.values == {1: 0.1, 2: 0.2, 3: 0.3}


async def test_a_stream_that_falls_silent_is_opened_again(
    followed: FollowedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_logs, "SILENCE", 0.1)
    followed.print("accuracy=0.1")
    followed.run()
    await until(lambda: followed.server.count("LOG") >= 3, "the silent stream is kept")
    followed.print("accuracy=0.2")
    await followed.until_values(0.1, 0.2)


@pytest.mark.parametrize("status", [400, 403, 404, 410, 429, 500, 503])
async def test_an_outage_is_waited_out(followed: FollowedLog, status: int, caplog: pytest.LogCaptureFixture) -> None:
    with told(caplog) as said:
        followed.server.fail(Fault("LOG", status, b"busy", times=4), Fault("LOG", drop=True))
        followed.print("accuracy=0.1")
        followed.run()
        await followed.until_values(0.1)
    assert len(said) <= 1


async def test_a_pod_that_is_not_there_yet_is_waited_for(followed: FollowedLog) -> None:
    followed.server.pods = []
    followed.run()
    await until(lambda: followed.server.count("GET", "/pods") >= 2, "the pod is not asked for again")
    followed.server.pods = [pod("other", "uid-of-another-job"), pod()]
    followed.print("accuracy=0.1")
    await followed.until_values(0.1)


async def test_a_pod_that_took_anothers_place_is_read_from_its_beginning_and_takes_its_steps(
    followed: FollowedLog,
) -> None:
    followed.print("accuracy=0.1", "accuracy=0.2")
    followed.run()
    await followed.until_values(0.1, 0.2)
    followed.server.logs["later"] = followed.server.logs.pop(POD)
    followed.log._lines.clear()
    followed.server.pods.append(pod("later", created=datetime.now(UTC).isoformat()))
    followed.server.end_logs()
    await asyncio.sleep(0.01)
    followed.print("accuracy=0.7")
    await followed.until_values(0.7)
    followed.print("accuracy=0.8", "accuracy=0.9")
    await followed.until_values(0.7, 0.8, 0.9)


async def test_a_log_whose_node_has_a_clock_that_is_behind_is_not_taken_for_another_pods(
    followed: FollowedLog,
) -> None:
    """Its beginning was rotated away: read as another pod's it would replace what nobody can read any more."""
    followed.server.pods = [pod(created="2030-01-15T08:00:00Z", started="2026-01-15T07:00:00Z")]
    followed.print("accuracy=0.1", "accuracy=0.2")
    followed.run()
    await followed.until_values(0.1, 0.2)
    await followed.readings.close()
    followed.log._lines[:] = [Line(datetime.now(UTC), b"accuracy=0.3\n")]
    followed.new_operator()
    followed.run()
    await followed.until_values(0.1, 0.2, 0.3)


async def test_a_log_with_more_steps_than_are_kept_is_not_opened_again(followed: FollowedLog) -> None:
    followed.trials.fail_next(TooManySteps("at most 100,000 steps"))
    followed.print("accuracy=0.1")
    followed.run()
    await followed.until_read()
    assert (followed.values, followed.why_lost) == ({}, "at most 100,000 steps")


async def test_a_log_that_stays_away_after_the_end_is_lost(
    followed: FollowedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_logs, "PATIENCE", 0.1)
    followed.print("accuracy=0.1")
    followed.run()
    await followed.until_values(0.1)
    followed.server.logs.clear()
    followed.server.end_logs()
    followed.end()
    await followed.until_read()
    assert followed.why_lost == f'pods "{POD}" not found'


async def test_an_api_server_that_is_away_after_the_end_loses_no_log(
    followed: FollowedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_logs, "PATIENCE", 0.0)
    followed.print("accuracy=0.1")
    followed.server.fail(Fault("GET", 429, headers={"Retry-After": "0"}, times=12))
    followed.end()
    await followed.until_read()
    assert not followed.server.faults
    assert (followed.values, followed.why_lost) == ({1: 0.1}, "")


async def test_what_the_kubelet_says_instead_of_a_log_is_no_log(
    followed: FollowedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_logs, "PATIENCE", 0.1)
    words = b"unable to retrieve container logs for containerd://4711"
    followed.server.fail(Fault("LOG", 200, words, times=1000))
    followed.end()
    await followed.until_read()
    assert followed.why_lost == f"the node answers: {words.decode()}"


async def test_rubbish_and_endless_lines_harm_nothing(followed: FollowedLog) -> None:
    followed.run()
    followed.log.write(bytes(range(256)) * 1000 + b"\n\xff\xfe\x00accuracy=\xe2\x82\n" + b"x" * 1_000_000 + b"\n")
    followed.print("accuracy=0.1")
    await followed.until_values(0.1)


async def test_a_flood_of_lines_is_read_to_its_end(followed: FollowedLog) -> None:
    followed.log.write(b"nothing to see here\n" * 100_000 + b"accuracy=0.1\n")
    followed.end()
    await followed.until_read()
    assert followed.values == {1: 0.1}
