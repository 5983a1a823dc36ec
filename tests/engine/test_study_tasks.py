from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.builders import STUDY, study_document
from tests.engine.world import FakeAddresses, FakeMetrics
from tests.fakes import FakeEventRecorder, FakeStudyStatusWriter, FakeTrialJobs, FakeTrialLogs
from tests.fakes.trial_repository import FakeTrialRepositories, FakeTrialRepository
from tuning_operator.api.names import job_name
from tuning_operator.api.study import StudySpec
from tuning_operator.clock import SystemClock
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.engine import World
from tuning_operator.errors import ClusterUnavailable, LeaseLost, SearchFailed, StorageDamaged, StorageUnavailable
from tuning_operator.fair_use import FairUse
from tuning_operator.settings import Settings
from tuning_operator.study_tasks import StudyTasks

AGAIN = replace(STUDY, uid="99992222-3333-4444-5555-666677778888")
"""The study, deleted and created again."""


class Cluster:
    """Study tasks in a world of fakes that really runs."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.logs = FakeTrialLogs()
        self.status = FakeStudyStatusWriter()
        self.events = FakeEventRecorder()
        self.metrics = FakeMetrics()
        self.repositories = FakeTrialRepositories(clock)
        self.jobs = FakeTrialJobs(clock, lambda uid: self.tasks.wake(uid))
        self.fair_use = FairUse(Settings(namespace_parallelism=100), lambda uid: self.tasks.wake(uid))
        ports = (self.jobs, self.logs, self.status, self.events, FakeAddresses(), clock, self.metrics)
        world = World(*ports, self.fair_use)
        self.tasks = StudyTasks(world, self.repositories, Settings(status_seconds=0, coalesce_seconds=0))

    @property
    def shown(self) -> dict[str, Any]:
        """The study's newest status."""
        return self.status.latest(STUDY)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(30):
            while not holds():  # noqa: ASYNC110 - the fakes have nothing to wait for
                await asyncio.sleep(0.005)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster = Cluster()
    yield cluster
    await cluster.tasks.close()


async def test_a_study_starts_when_it_is_seen(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: len(cluster.jobs.manifests) == 2)
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")


async def test_a_replaced_operator_shows_no_status(cluster: Cluster) -> None:
    cluster.repositories.fail_next_open(LeaseLost("another operator took the database over"))
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.tasks._studies[STUDY.uid][1].done())
    assert cluster.status.written == []
    assert cluster.tasks.alive


def _of_another_database(**annotations: str) -> dict[str, Any]:
    """Return a study with trials that only another database has."""
    document = study_document()
    document["metadata"]["annotations"] = annotations
    return {**document, "status": {"trials": {"total": 20, "complete": 18, "running": 2}, "readToken": "another"}}


async def test_an_operator_with_another_database_neither_starts_nor_stops_anything(cluster: Cluster) -> None:
    cluster.tasks.study_changed(_of_another_database())
    await cluster.until(lambda: bool(cluster.status.written))
    assert cluster.repositories.find(STUDY.uid) is None
    assert cluster.jobs.manifests == {}
    degraded = next(each for each in cluster.shown["conditions"] if each["type"] == "Degraded")
    assert (degraded["status"], degraded["reason"]) == ("True", "StorageMismatch")
    assert "20 trials in another database" in degraded["message"]
    assert "annotate the study with tuning-operator.io/storage=read" in degraded["message"]
    assert (cluster.shown["trials"]["complete"], cluster.shown["readToken"]) == (18, "another")


async def test_a_person_can_let_the_study_go_on_with_another_database(cluster: Cluster) -> None:
    cluster.tasks.study_changed(_of_another_database())
    await cluster.until(lambda: bool(cluster.status.written))
    cluster.tasks.study_changed(_of_another_database(**{"tuning-operator.io/storage": "read"}))
    await cluster.until(lambda: len(cluster.jobs.manifests) == 2)
    await cluster.until(lambda: cluster.shown.get("readToken") == "read")


async def test_a_job_event_wakes_its_study(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: len(cluster.jobs.manifests) == 2)
    cluster.jobs.fail(next(iter(cluster.jobs.manifests)))
    await cluster.until(lambda: len(cluster.jobs.manifests) == 3)


async def test_a_changed_spec_acts_at_once(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: len(cluster.jobs.manifests) == 2)
    cluster.tasks.study_changed(study_document(generation=2, parallelism=5))
    await cluster.until(lambda: len(cluster.jobs.manifests) == 5)


async def test_a_wrong_spec_is_refused_in_the_status_and_starts_nothing(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document(maxTrials=0))
    await cluster.until(lambda: cluster.shown.get("phase") == "Refused")
    assert "spec.maxTrials" in cluster.shown["conditions"][0]["message"]
    assert cluster.events.reasons == ["InvalidSpec"]
    assert cluster.jobs.manifests == {}


async def test_a_refused_study_is_refused_once_per_generation(cluster: Cluster) -> None:
    for _ in range(3):
        cluster.tasks.study_changed(study_document(maxTrials=0))
    await cluster.until(lambda: cluster.shown.get("phase") == "Refused")
    await asyncio.sleep(0)
    assert len(cluster.status.written) == 1


async def test_a_wrong_edit_of_a_running_study_is_named_and_the_last_good_spec_goes_on(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")
    cluster.tasks.study_changed(study_document(generation=2, search={"sampler": {"name": "TPE", "options": {"x": 1}}}))
    await cluster.until(lambda: cluster.shown.get("phase") == "Refused")
    cluster.jobs.fail(next(iter(cluster.jobs.manifests)))
    await cluster.until(lambda: len(cluster.jobs.manifests) == 3)
    assert cluster.shown["phase"] == "Refused"
    cluster.tasks.study_changed(study_document(generation=3))
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")


async def test_an_object_that_shows_no_new_spec_is_not_read_again(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document())
    document = study_document()
    document["metadata"]["annotations"] = None
    cluster.tasks.study_changed(document | {"spec": "what is not read cannot be wrong"})
    assert cluster.tasks._refused == {}
    document["metadata"]["annotations"] = {"a": "b"}
    cluster.tasks.study_changed(document | {"spec": "this is read"})
    assert list(cluster.tasks._refused) == [STUDY.uid]


async def test_an_edit_while_the_history_is_opened_is_not_lost(cluster: Cluster) -> None:
    opening, go_on = asyncio.Event(), asyncio.Event()
    really_open = cluster.repositories.open

    async def open_slowly(study: StudyKey, spec: StudySpec, resume: str) -> FakeTrialRepository:
        opening.set()
        await go_on.wait()
        return await really_open(study, spec, resume)

    cluster.repositories.open = open_slowly  # type: ignore[method-assign]
    cluster.tasks.study_changed(study_document())
    await asyncio.wait_for(opening.wait(), 30)
    momentum = [{"name": "momentum", "type": "Float", "low": 0, "high": 1}]
    cluster.tasks.study_changed(study_document(generation=2, parameters=momentum))
    go_on.set()
    await cluster.until(lambda: len(cluster.jobs.manifests) == 2)
    repository = cluster.repositories.find(STUDY.uid)
    assert repository is not None
    assert [set(trial.parameters) for trial in repository.history().open] == [{"momentum"}] * 2


async def test_a_corrected_study_starts(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document(maxTrials=0))
    cluster.tasks.study_changed(study_document(generation=2))
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")


@pytest.mark.parametrize("document", [{}, {"metadata": None}, {"metadata": {"name": 3}}, {"metadata": {"name": "x"}}])
async def test_an_object_that_does_not_say_what_it_is_harms_nobody(cluster: Cluster, document: dict[str, Any]) -> None:
    cluster.tasks.study_changed(document)
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")


async def test_a_deleted_study_is_left_alone_and_its_series_vanish(cluster: Cluster) -> None:
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")
    cluster.tasks.study_deleted(STUDY.uid)
    await cluster.until(lambda: cluster.repositories.find(STUDY.uid) is None)
    requests = cluster.jobs.requests
    cluster.jobs.fail(next(iter(cluster.jobs.manifests)))
    cluster.tasks.wake(STUDY.uid)
    await asyncio.sleep(0.02)
    assert cluster.jobs.requests == requests
    assert cluster.metrics.forgotten == [STUDY]


async def test_a_study_that_is_being_deleted_starts_nothing(cluster: Cluster) -> None:
    document = study_document()
    document["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    cluster.tasks.study_changed(document)
    await asyncio.sleep(0.02)
    assert cluster.jobs.manifests == {}


def again(resume: str | None = "true", **fields: Any) -> dict[str, Any]:
    """Return the study as it is created again under its name."""
    document = study_document(**fields)
    document["metadata"]["uid"] = AGAIN.uid
    if resume is not None:
        document["metadata"]["annotations"] = {"tuning-operator.io/resume": resume, "other": "{"}
    return document


async def delete_after_two_trials(cluster: Cluster) -> None:
    """Let the study start and be deleted; its Jobs go with it."""
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")
    cluster.tasks.study_deleted(STUDY.uid)


async def test_a_study_that_is_created_again_resumes_if_it_says_so(cluster: Cluster) -> None:
    await delete_after_two_trials(cluster)
    cluster.tasks.study_changed(again())
    await cluster.until(lambda: cluster.status.latest(AGAIN).get("phase") == "Running")
    names = {job_name("digits", AGAIN.uid, trial, 2) for trial in (0, 1)}
    await cluster.until(lambda: names <= set(cluster.jobs.manifests))
    assert cluster.events.reasons.count("HistoryResumed") == 1


async def test_a_study_that_cant_resume_starts_nothing_until_its_annotation_goes(cluster: Cluster) -> None:
    await delete_after_two_trials(cluster)
    momentum = [{"name": "momentum", "type": "Float", "low": 0, "high": 1}]
    cluster.tasks.study_changed(again(parameters=momentum))
    await cluster.until(lambda: cluster.status.latest(AGAIN).get("phase") == "Refused")
    accepted = cluster.status.latest(AGAIN)["conditions"][0]
    assert (accepted["type"], accepted["status"], accepted["reason"]) == ("Accepted", "False", "NotResumable")
    assert not any(AGAIN.uid[:8] in name for name in cluster.jobs.manifests)
    cluster.tasks.study_changed(again(None, parameters=momentum))
    await cluster.until(lambda: cluster.status.latest(AGAIN).get("phase") == "Running")


async def test_a_storage_that_is_away_is_named_in_the_status_and_tried_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning_operator.study_task.RETRY_SECONDS", (0.01,))
    cluster.repositories.fail_next_open(StorageUnavailable("the database does not answer"))
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: bool(cluster.status.written))
    first = cluster.status.written[0][1]["conditions"]
    assert [(it["type"], it["reason"], it["message"]) for it in first] == [
        ("Degraded", "StorageUnavailable", "the database does not answer")
    ]
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")
    degraded = next(it for it in cluster.shown["conditions"] if it["type"] == "Degraded")
    assert degraded["status"] == "False"


async def test_a_damaged_storage_is_named_in_the_status(cluster: Cluster) -> None:
    cluster.repositories.fail_next_open(StorageDamaged("tuning.db is no SQLite database"))
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: bool(cluster.status.written))
    assert cluster.shown["conditions"][0]["reason"] == "StorageDamaged"


async def test_a_study_that_cant_be_worked_on_keeps_no_room_from_others(cluster: Cluster) -> None:
    other = replace(STUDY, name="other", uid="uid-other")
    cluster.fair_use.take_stock(other, open_trials=50, total=50)
    cluster.fair_use.reserve(STUDY, 0, held_back=True)
    assert cluster.fair_use.allowance(other).trials == 0
    cluster.repositories.fail_next_open(StorageDamaged("tuning.db is no SQLite database"))
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: bool(cluster.status.written))
    assert cluster.fair_use.allowance(other).trials == 50


async def test_a_status_that_cant_be_written_is_written_later(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning_operator.study_task.RETRY_SECONDS", (0.01,))
    cluster.status.fail_next(ClusterUnavailable("away"), ClusterUnavailable("away"))
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")
    assert len(cluster.jobs.manifests) == 2


async def test_a_defect_in_one_study_stops_neither_it_nor_others(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tuning_operator.study_task.RETRY_SECONDS", (0.01,))
    cluster.repositories.fail_next_open(ZeroDivisionError("a defect"))
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")
    assert "this is a defect" in caplog.text
    assert cluster.tasks.alive


async def test_a_sampler_that_fails_is_told_and_logged_and_asked_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tuning_operator.study_task.RETRY_SECONDS", (0.01,))
    cluster.repositories.fail_next_open(SearchFailed("the sampler TPE failed"))
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: cluster.shown.get("phase") == "Running")
    assert cluster.events.reasons[0] == "SearchFailed"
    assert "the sampler TPE failed" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_study_that_is_gone_when_its_status_is_written_ends_quietly(cluster: Cluster) -> None:
    cluster.status.delete(STUDY)
    cluster.tasks.study_changed(study_document())
    await cluster.until(lambda: len(cluster.jobs.manifests) == 2)
    await asyncio.sleep(0.02)
    requests = cluster.jobs.requests
    cluster.tasks.wake(STUDY.uid)
    await asyncio.sleep(0.02)
    assert cluster.jobs.requests == requests
    assert cluster.tasks.alive
