"""An engine in a world of fakes, driven by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.builders import STUDY, study
from tests.fakes import FakeClock, FakeEventRecorder, FakeStudyStatusWriter, FakeTrialJobs, FakeTrialLogs
from tests.fakes.trial_repository import FakeTrialRepository
from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.study import StudySpec, TuningStudy
from tuning_operator.decisions.actions import NewAttempt, Outcome
from tuning_operator.decisions.hold_ups import HoldUp
from tuning_operator.decisions.report_access import ReportAccess
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.engine import StudyEngine, World
from tuning_operator.fair_use import FairUse
from tuning_operator.settings import Settings


class FakeAddresses:
    """Implements `Addresses`."""

    def report_access(self, study: StudyKey, trial: int, attempt: int) -> ReportAccess:
        """Return a URL and a token that say whose they are."""
        return ReportAccess(f"http://operator/{study.uid}/{trial}/{attempt}", f"token-{trial}-{attempt}")

    def read_token(self, study: StudyKey) -> str:
        """Return a token."""
        return "read"


class FakeMetrics:
    """Implements `StudyMetrics`: keeps what was recorded."""

    def __init__(self) -> None:
        self.ends: list[Outcome] = []
        self.new_attempts: list[NewAttempt] = []
        self.held_up: dict[HoldUp, int] = {}
        self.next_jobs: list[float] = []
        self.first_jobs: list[float] = []
        self.shown: list[StudyStatus] = []
        self.forgotten: list[StudyKey] = []

    def study_shown(self, study: StudyKey, status: StudyStatus) -> None:
        """Keep a status."""
        self.shown.append(status)

    def trials_held_up(self, study: StudyKey, counts: Mapping[HoldUp, int]) -> None:
        """Keep the counts that are shown."""
        self.held_up = {reason: count for reason, count in counts.items() if count}

    def trial_ended(self, study: StudyKey, spec: StudySpec, outcome: Outcome, typical_seconds: float) -> None:
        """Keep an outcome."""
        self.ends.append(outcome)

    def attempt_replaced(self, study: StudyKey, spec: StudySpec, new: NewAttempt) -> None:
        """Keep an attempt."""
        self.new_attempts.append(new)

    def next_job_posted(self, study: StudyKey, seconds: float) -> None:
        """Keep a time."""
        self.next_jobs.append(seconds)

    def first_job_posted(self, study: StudyKey, seconds: float) -> None:
        """Keep a time."""
        self.first_jobs.append(seconds)

    def forget_study(self, study: StudyKey) -> None:
        """Keep whose series were dropped."""
        self.forgotten.append(study)


class EngineInAWorld:
    """One study's engine and all that it sees."""

    def __init__(self, caps: dict[str, Any] | None = None, room: int | None = None, **fields: Any) -> None:
        self.clock = FakeClock()
        self.jobs = FakeTrialJobs(self.clock)
        self.logs = FakeTrialLogs()
        self.status = FakeStudyStatusWriter()
        self.events = FakeEventRecorder()
        self.metrics = FakeMetrics()
        self.resource = study(**fields)
        self.trials = FakeTrialRepository(self.resource.spec, self.clock)
        self.fair_use = FairUse(Settings(**(caps or {})), lambda _uid: None)
        ports = (self.jobs, self.logs, self.status, self.events, FakeAddresses(), self.clock, self.metrics)
        self.world = World(*ports, self.fair_use, room)
        self.engine = self.new_engine()

    def new_engine(self) -> StudyEngine:
        """Return an engine as a process has it that starts anew: it remembers nothing."""
        self.engine = StudyEngine(STUDY, self.resource, self.world, status_seconds=10, wake=self._wake)
        return self.engine

    def _wake(self) -> None:
        self._woken = True

    def edit(self, **fields: Any) -> None:
        """Let the user change the spec."""
        generation = self.resource.metadata.generation + 1
        edited: TuningStudy = study(**fields)
        metadata = edited.metadata.model_copy(update={"generation": generation})
        self.resource = edited.model_copy(update={"metadata": metadata})
        self.trials.spec = self.resource.spec

    async def step(self) -> float | None:
        """Let the engine step, and step again when the API server has answered about the Jobs that it creates."""
        self._woken = False
        due = await self.engine.step(self.resource, self.trials, self.clock.now())
        await self.engine.settle()
        return await self.engine.step(self.resource, self.trials, self.clock.now()) if self._woken else due

    async def report(self, number: int, value: float = 0.5, step: int = 1, end: str | None = None) -> str:
        """Let a trial report, and maybe end; return the reason in the reply."""
        last = None if end is None else TrialEnd(FinalState(end))
        attempt = next(trial.attempt for trial in self.trials.history().open if trial.number == number)
        answer = await self.trials.report(number, attempt, ReportBatch((Report(step, {"accuracy": value}),), last))
        return answer.reply.reason

    @property
    def shown(self) -> dict[str, Any]:
        """The status that was written last."""
        return self.status.latest(STUDY)

    def condition(self, kind: str) -> dict[str, Any]:
        """Return a condition of that status."""
        found: dict[str, Any] = next(each for each in self.shown["conditions"] if each["type"] == kind)
        return found

    def job_names(self) -> list[str]:
        """Return the names of the Jobs that exist."""
        return sorted(job.name for job in self.jobs.observed(STUDY))
