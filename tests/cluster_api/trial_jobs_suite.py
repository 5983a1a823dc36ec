"""What every implementation of `TrialJobs` promises: subclass `TrialJobsSuite` and give it a `world` fixture."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import pytest

from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import JobRefused
from tuning_operator.ports import Manifest, TrialJobs

DEADLINE_S = 30.0
"""Seconds that a test waits for what is bound to happen; a busy machine needs a fraction of it."""


class World(Protocol):
    """An implementation, and the means to let its Jobs run and end."""

    jobs: TrialJobs
    study: StudyKey
    other_study: StudyKey
    """Another study of the same namespace."""

    def manifest(self, study: StudyKey, trial: int, attempt: int = 1, runs: int = 1) -> Manifest:
        """Return a Job that the implementation accepts, and whose runs go on until they are ended."""

    def unacceptable_manifest(self, study: StudyKey) -> Manifest:
        """Return a Job that it refuses."""

    async def run(self, name: str) -> None:
        """Let the Job's pod run; nothing to do where pods run at once."""

    async def end(self, name: str, exit_code: int, run: int = 0) -> None:
        """Let the container of one of the Job's runs exit."""

    async def remove(self, name: str) -> None:
        """Delete the Job behind the implementation's back, as a person does."""


async def until(holds: Callable[[], bool], what: str) -> None:
    """Return when `holds()`; fail with `what` when it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {DEADLINE_S:.0f} s in vain: {what}", pytrace=False)
        await asyncio.sleep(0.01)


async def keep_trying(step: Callable[[], Coroutine[Any, Any, bool]], what: str) -> None:
    """Return when `await step()` is true; fail with `what` when it never is."""
    deadline = time.monotonic() + DEADLINE_S
    while not await step():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {DEADLINE_S:.0f} s in vain: {what}", pytrace=False)
        await asyncio.sleep(0.01)


class TrialJobsSuite:
    """The port's obligations."""

    async def test_a_created_job_is_observed_when_create_returns(self, world: World) -> None:
        await world.jobs.create(world.study, world.manifest(world.study, 3, attempt=2))
        (job,) = world.jobs.observed(world.study)
        assert (job.trial, job.attempt) == (3, 2)
        assert job.is_active
        assert not job.deleting

    async def test_creating_the_same_job_again_succeeds_and_changes_nothing(self, world: World) -> None:
        manifest = world.manifest(world.study, 0)
        await world.jobs.create(world.study, manifest)
        await world.jobs.create(world.study, manifest)
        assert len(world.jobs.observed(world.study)) == 1

    async def test_a_name_of_another_study_is_refused(self, world: World) -> None:
        theirs = world.manifest(world.other_study, 0)
        await world.jobs.create(world.other_study, theirs)
        ours = dict(world.manifest(world.study, 0))
        ours["metadata"] = {**ours["metadata"], "name": theirs["metadata"]["name"]}
        with pytest.raises(JobRefused):
            await world.jobs.create(world.study, ours)
        assert not world.jobs.observed(world.study)

    async def test_each_study_sees_its_own_jobs_only(self, world: World) -> None:
        await world.jobs.create(world.study, world.manifest(world.study, 0))
        await world.jobs.create(world.other_study, world.manifest(world.other_study, 1))
        assert [job.trial for job in world.jobs.observed(world.study)] == [0]
        assert [job.trial for job in world.jobs.observed(world.other_study)] == [1]

    async def test_a_running_job_has_the_time_since_when(self, world: World) -> None:
        name = await self._running(world, 0)
        job = _find(world, name)
        assert job.running_at is not None
        assert job.running_at >= job.created_at - 1  # creation times have whole seconds

    async def test_a_job_whose_container_exits_with_0_becomes_complete(self, world: World) -> None:
        name = await self._running(world, 0)
        await world.end(name, 0)
        await until(lambda: _find(world, name).phase is JobPhase.COMPLETE, "the Job is not Complete")
        job = _find(world, name)
        assert job.ended_at is not None
        assert not job.is_active

    async def test_a_failed_job_names_the_exit_code_in_its_message(self, world: World) -> None:
        name = await self._running(world, 0)
        await world.end(name, 3)
        await until(lambda: _find(world, name).phase is JobPhase.FAILED, "the Job is not Failed")
        job = _find(world, name)
        assert job.exit_code == 3
        assert "3" in job.message
        assert job.ended_at is not None

    async def test_a_job_of_several_runs_is_complete_when_all_of_them_are(self, world: World) -> None:
        name = await self._running(world, 0, runs=2)
        await world.end(name, 0, run=1)
        assert _find(world, name).is_active
        await world.end(name, 0, run=0)
        await until(lambda: _find(world, name).phase is JobPhase.COMPLETE, "the Job is not Complete")

    async def test_a_job_of_several_runs_fails_with_the_first_that_fails(self, world: World) -> None:
        name = await self._running(world, 0, runs=2)
        await world.end(name, 3, run=1)
        await until(lambda: _find(world, name).phase is JobPhase.FAILED, "the Job is not Failed")
        assert _find(world, name).exit_code == 3

    async def test_a_deleted_job_is_deleting_or_gone_when_delete_returns(self, world: World) -> None:
        name = await self._running(world, 0)
        await world.jobs.delete(world.study, name)
        assert all(job.deleting for job in world.jobs.observed(world.study))
        await until(lambda: not world.jobs.observed(world.study), "the deleted Job stays")
        assert world.jobs.vanished(world.study) == {(0, 1)}

    async def test_deleting_a_job_that_does_not_exist_succeeds(self, world: World) -> None:
        name = world.manifest(world.study, 0)["metadata"]["name"]
        await world.jobs.delete(world.study, name)
        assert not world.jobs.observed(world.study)

    async def test_another_studys_job_is_not_deleted(self, world: World) -> None:
        theirs = world.manifest(world.other_study, 0)
        await world.jobs.create(world.other_study, theirs)
        await world.jobs.delete(world.study, theirs["metadata"]["name"])
        assert [job.deleting for job in world.jobs.observed(world.other_study)] == [False]

    async def test_a_job_that_somebody_else_deletes_vanishes(self, world: World) -> None:
        name = await self._running(world, 5, attempt=2)
        await world.remove(name)
        await until(lambda: not world.jobs.observed(world.study), "the Job is still observed")
        assert world.jobs.vanished(world.study) == {(5, 2)}

    async def test_a_job_that_was_never_created_has_not_vanished(self, world: World) -> None:
        assert world.jobs.vanished(world.study) == frozenset()

    async def test_a_vanished_job_that_is_created_again_exists(self, world: World) -> None:
        name = await self._running(world, 0)
        await world.remove(name)
        await until(lambda: not world.jobs.observed(world.study), "the Job is still observed")
        await world.jobs.create(world.study, world.manifest(world.study, 0))
        assert _find(world, name).is_active
        assert world.jobs.vanished(world.study) == frozenset()

    async def test_a_check_creates_nothing(self, world: World) -> None:
        assert list(await world.jobs.check(world.study, world.manifest(world.study, 0))) == []
        assert not world.jobs.observed(world.study)

    async def test_a_check_passes_beside_the_same_job(self, world: World) -> None:
        manifest = world.manifest(world.study, 0)
        await world.jobs.create(world.study, manifest)
        assert list(await world.jobs.check(world.study, manifest)) == []

    async def test_an_unacceptable_job_is_refused_with_a_sentence(self, world: World) -> None:
        with pytest.raises(JobRefused, match=r"\w+ \w+"):
            await world.jobs.check(world.study, world.unacceptable_manifest(world.study))
        with pytest.raises(JobRefused, match=r"\w+ \w+"):
            await world.jobs.create(world.study, world.unacceptable_manifest(world.study))
        assert not world.jobs.observed(world.study)

    async def _running(self, world: World, trial: int, attempt: int = 1, runs: int = 1) -> str:
        manifest = world.manifest(world.study, trial, attempt, runs)
        await world.jobs.create(world.study, manifest)
        name = str(manifest["metadata"]["name"])
        await world.run(name)
        await until(lambda: _find(world, name).phase is JobPhase.RUNNING, "the Job does not run")
        return name


def _find(world: World, name: str) -> TrialJob:
    return next(job for job in world.jobs.observed(world.study) if job.name == name)
