"""The fake that the engine's tests use keeps the port's promises."""

from __future__ import annotations

import uuid

import pytest

from tests.cluster_api.manifests import job_manifest
from tests.cluster_api.trial_jobs_suite import TrialJobsSuite
from tests.fakes import FakeTrialJobs
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import JobRefused
from tuning_operator.ports import Manifest


class FakeWorld:
    """The fake and its verbs."""

    def __init__(self) -> None:
        self.jobs = FakeTrialJobs()
        self.study = StudyKey("team", "digits", str(uuid.uuid4()))
        self.other_study = StudyKey("team", "other", str(uuid.uuid4()))

    def manifest(self, study: StudyKey, trial: int, attempt: int = 1, runs: int = 1) -> Manifest:
        return job_manifest(study, trial, attempt, runs)

    def unacceptable_manifest(self, study: StudyKey) -> Manifest:
        self.jobs.fail_next(JobRefused("no such image"), JobRefused("no such image"))
        return job_manifest(study, 0)

    async def run(self, name: str) -> None:
        self.jobs.start(name)

    async def end(self, name: str, exit_code: int, run: int = 0) -> None:
        if exit_code:
            self.jobs.fail(name, exit_code)
        else:
            self.jobs.finish_run(name, run)

    async def remove(self, name: str) -> None:
        self.jobs.remove(name)


class TestFakeTrialJobs(TrialJobsSuite):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()
