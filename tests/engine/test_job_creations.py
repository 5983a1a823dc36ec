"""A cycle does not wait for the API server's answers, and nothing is created twice or left over for that."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.world import EngineInAWorld
from tuning_operator.errors import ClusterUnavailable, JobRefused


async def _step(world: EngineInAWorld) -> None:
    """Let the engine step although the API server has not answered yet."""
    await world.engine.step(world.resource, world.trials, world.clock.now())


async def _running(world: EngineInAWorld) -> None:
    await world.step()
    world.jobs.start(*world.job_names())
    for trial in world.trials.history().open:
        await world.report(trial.number)


async def test_the_next_trials_end_does_not_wait_for_the_answer_about_the_last_ones_job() -> None:
    world = EngineInAWorld(maxTrials=10, parallelism=2)
    await _running(world)
    world.jobs.answering.clear()
    for number in (0, 1):
        await world.report(number, step=2, end="Complete")
        await _step(world)
    assert [outcome.number for outcome in world.metrics.ends] == [0, 1]
    assert [trial.number for trial in world.trials.history().open] == [2, 3]
    assert len(world.jobs.manifests) == 2
    world.jobs.answering.set()
    await world.engine.settle()
    assert len(world.jobs.manifests) == 4


async def test_a_job_that_is_being_created_takes_its_slot_once_however_often_the_study_is_looked_at() -> None:
    world = EngineInAWorld(maxTrials=10, parallelism=2)
    world.jobs.answering.clear()
    for _ in range(3):
        await _step(world)
    assert world.trials.history().total == 2
    assert world.shown["trials"]["pending"] == 2
    world.jobs.answering.set()
    await world.engine.settle()
    assert [world.jobs.requests, len(world.jobs.manifests)] == [3, 2]  # the first request was the dry run


async def test_a_job_that_must_go_is_deleted_once_it_is_there() -> None:
    world = EngineInAWorld(maxTrials=10, parallelism=1)
    world.jobs.answering.clear()
    await _step(world)
    world.edit(maxTrials=10, parallelism=1, suspend={"enabled": True, "mode": "Terminate"})
    suspending = asyncio.create_task(_step(world))
    await asyncio.sleep(0)
    assert not world.jobs.deletions
    world.jobs.answering.set()
    await suspending
    assert len(world.jobs.deletions) == 1
    assert world.job_names() == []


async def test_a_failure_that_comes_late_is_shown_and_tried_again() -> None:
    world = EngineInAWorld(maxTrials=10, parallelism=1)
    await _step(world)
    await world.engine.settle()
    world.jobs.start(*world.job_names())
    await world.report(0, end="Complete")
    world.jobs.answering.clear()
    await _step(world)
    world.jobs.fail_next(ClusterUnavailable("the API server is away"))
    world.jobs.answering.set()
    await world.engine.settle()
    await _step(world)
    assert "the API server is away" in str(world.shown["conditions"])
    world.clock.advance(60)
    await world.step()
    assert len(world.jobs.manifests) == 2


async def test_a_study_that_is_left_alone_creates_nothing_more() -> None:
    world = EngineInAWorld(maxTrials=10, parallelism=2)
    world.jobs.answering.clear()
    await _step(world)
    world.engine.halt()
    world.jobs.answering.set()
    await world.engine.settle()
    assert world.jobs.manifests == {}


async def test_a_defect_in_a_creation_is_a_defect_of_the_study() -> None:
    world = EngineInAWorld(maxTrials=10, parallelism=1)
    world.jobs.answering.clear()
    await _step(world)
    world.jobs.fail_next(ZeroDivisionError())
    world.jobs.answering.set()
    await world.engine.settle()
    with pytest.raises(ZeroDivisionError):
        await _step(world)
    await world.step()
    assert len(world.jobs.manifests) == 1


async def test_of_many_jobs_only_some_are_being_asked_for_at_the_same_time() -> None:
    world = EngineInAWorld(maxTrials=1_000, parallelism=200)
    world.jobs.answering.clear()
    await _step(world)
    await asyncio.sleep(0)
    assert world.trials.history().total == 200
    assert 0 < world.jobs.waiting < 100
    world.jobs.answering.set()
    await world.engine.settle()
    assert len(world.jobs.manifests) == 200


async def test_a_failure_is_forgotten_when_nobody_needs_its_job_any_more() -> None:
    world = EngineInAWorld(maxTrials=1, parallelism=1)
    await _step(world)
    world.jobs.fail_next(JobRefused("no such queue"))
    await world.engine.settle()
    await _step(world)
    assert "no such queue" in str(world.shown["conditions"])
    world.edit(maxTrials=1, parallelism=1, stopping={"trials": [0]})
    while (due := await world.step()) is not None:
        world.clock.advance(due - world.clock.now())
    assert "no such queue" not in str(world.shown["conditions"])
    assert [it["status"] for it in world.shown["conditions"] if it["type"] == "Degraded"] == ["False"]
