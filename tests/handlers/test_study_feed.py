"""Which studies exist, told once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tuning_operator.errors import ClusterUnavailable
from tuning_operator.handlers.study_feed import StudyFeed


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def study_changed(self, document: Mapping[str, Any]) -> None:
        metadata = document["metadata"]
        self.told.append(f"{metadata['uid']} is at {metadata['generation']}")

    def study_deleted(self, uid: str, last: Mapping[str, Any] | None = None) -> None:
        self.told.append(f"{uid} is gone")


class Cluster:
    """The studies that a list finds; `meanwhile` happens between the list and its arrival."""

    def __init__(self, *studies: dict[str, Any]) -> None:
        self.studies = list(studies)
        self.meanwhile: Callable[[], None] = lambda: None

    async def list_studies(self) -> list[dict[str, Any]]:
        found = list(self.studies)
        await asyncio.sleep(0)
        self.meanwhile()
        return found


def study(uid: str, generation: int = 1) -> dict[str, Any]:
    """Return as much of a study as the feed looks at."""
    return {"metadata": {"uid": uid, "generation": generation}}


@pytest.fixture
def listener() -> Listener:
    """What is told."""
    return Listener()


async def test_a_list_tells_of_studies_that_the_watch_did_not(listener: Listener) -> None:
    feed = StudyFeed(listener, Cluster(study("a"), study("b", 2)).list_studies)
    feed.take("ADDED", study("a"))
    await feed.relist()
    assert listener.told == ["a is at 1", "b is at 2"]


async def test_a_study_that_is_missing_in_a_list_is_gone(listener: Listener) -> None:
    feed = StudyFeed(listener, Cluster(study("a")).list_studies)
    feed.take("ADDED", study("a"))
    feed.take("ADDED", study("b"))
    await feed.relist()
    assert listener.told[-1] == "b is gone"
    assert feed.is_gone("b")
    assert not feed.is_gone("a")


async def test_a_study_that_appears_during_a_list_is_kept(listener: Listener) -> None:
    cluster = Cluster()
    feed = StudyFeed(listener, cluster.list_studies)
    cluster.meanwhile = lambda: feed.take("ADDED", study("a"))
    await feed.relist()
    assert listener.told == ["a is at 1"]


async def test_a_study_that_is_deleted_during_a_list_stays_deleted(listener: Listener) -> None:
    cluster = Cluster(study("a"))
    feed = StudyFeed(listener, cluster.list_studies)
    feed.take("ADDED", study("a"))
    cluster.meanwhile = lambda: feed.take("DELETED", study("a"))
    await feed.relist()
    assert listener.told == ["a is at 1", "a is gone"]


async def test_a_list_does_not_bring_an_older_spec_back(listener: Listener) -> None:
    cluster = Cluster(study("a", 1))
    feed = StudyFeed(listener, cluster.list_studies)
    feed.take("ADDED", study("a", 1))
    cluster.meanwhile = lambda: feed.take("MODIFIED", study("a", 2))
    await feed.relist()
    assert listener.told == ["a is at 1", "a is at 2"]


async def test_a_list_that_fails_is_tried_again_later(listener: Listener) -> None:
    answers: list[list[dict[str, Any]] | Exception] = [ClusterUnavailable("away"), [study("a")]]
    done = asyncio.Event()

    async def list_studies() -> list[dict[str, Any]]:
        if not answers:
            done.set()
            return [study("a")]
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    task = asyncio.create_task(StudyFeed(listener, list_studies).keep_listing(0.001))
    await asyncio.wait_for(done.wait(), 30)
    task.cancel()
    assert listener.told == ["a is at 1"]


@pytest.mark.parametrize("document", [{}, {"metadata": None}, {"metadata": {"uid": 7, "generation": "x"}}])
async def test_an_odd_object_is_passed_on_and_harms_nobody(document: dict[str, Any]) -> None:
    told: list[Any] = []

    class Anything:
        def study_changed(self, document: Mapping[str, Any]) -> None:
            told.append(document)

        def study_deleted(self, uid: str, last: Mapping[str, Any] | None = None) -> None:
            told.append(uid)

    StudyFeed(Anything(), Cluster().list_studies).take("ADDED", document)
    assert told == [document]
