"""Observe, decide, apply: one study's cycle.

The engine knows the ports only. Every step of `_apply` may be the last one before a crash: each is repeated safely,
because the next cycle decides anew from what is stored and what runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tuning_operator.api.status import StudyStatus, read_status
from tuning_operator.api.study import TuningStudy
from tuning_operator.decisions.actions import Deletion, Launch, Outcome, Plan
from tuning_operator.decisions.events import announcements
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.snapshot import FinishedTrial, Snapshot, StudyKey
from tuning_operator.decisions.study_status import study_status
from tuning_operator.decisions.trial_job import sample_trial, trial_job
from tuning_operator.errors import JobRefused, TuningError
from tuning_operator.fault_points import Defect, Point, has, reach, twin
from tuning_operator.ports import (
    Addresses,
    Clock,
    EventRecorder,
    StudyMetrics,
    StudyStatusWriter,
    TrialJobs,
    TrialRepository,
)

log = logging.getLogger(__name__)

REFUSAL_SECONDS = 30.0
"""After a refused Job, how long no other is tried: policies and names change, but not by the second."""
AWAY_SECONDS = 5.0
"""After a Job that could not be created or deleted now, how long none is tried again: a quota, an API server away."""


@dataclass(frozen=True)
class World:
    """Everything outside that a study needs; the same for all studies of a process."""

    jobs: TrialJobs
    status: StudyStatusWriter
    events: EventRecorder
    addresses: Addresses
    clock: Clock
    metrics: StudyMetrics


class StudyEngine:
    """Runs one study, a step at a time."""

    def __init__(self, study: StudyKey, resource: TuningStudy, world: World, status_seconds: float) -> None:
        self._study = study
        self._world = world
        self._status_seconds = status_seconds
        self._shown = read_status(resource.status)
        self._shown_at = float("-inf")
        self._created_at = _seconds(resource.metadata.creation_timestamp)
        self._problem = ""
        self._blocked_until: float | None = None
        self._warnings: tuple[str, ...] = ()
        self._checked_generation = -1
        self._refusal, self._refused_generation = "", 0

    def refuse(self, problem: str, generation: int) -> None:
        """Take note that a newer spec is wrong: the study goes on with the last good one, and its status says so."""
        self._refusal, self._refused_generation = problem, generation

    @property
    def shown(self) -> StudyStatus:
        """The status that was written last."""
        return self._shown

    async def step(self, resource: TuningStudy, trials: TrialRepository, woken_at: float) -> float | None:
        """Do all that is to be done now; return when to look again although nothing happens (seconds since 1970).

        `woken_at` is when the oldest of the events came that this step answers.
        """
        await self._check_template(resource, trials)
        snapshot = self._observe(resource, trials)
        plan = decide(snapshot)
        dues: list[float | None] = []
        if not plan.is_empty:
            done = await self._apply(plan, snapshot, trials, woken_at)
            snapshot = self._observe(resource, trials)
            plan = decide(snapshot)
            if not plan.is_empty:
                dues.append(self._world.clock.now() + (0 if done else AWAY_SECONDS))
        dues += [plan.requeue_at, await self._show(snapshot)]
        return min((due for due in dues if due is not None), default=None)

    def _observe(self, resource: TuningStudy, trials: TrialRepository) -> Snapshot:
        jobs = tuple(self._world.jobs.observed(self._study))
        leaving = {job.trial for job in jobs if job.is_active}
        ended = ((number, trials.finished(number)) for number in leaving)
        now = self._world.clock.now()
        if self._blocked_until is not None:  # a clock that was set back must not block for hours
            self._blocked_until = min(self._blocked_until, now + REFUSAL_SECONDS)
        return Snapshot(
            now=now,
            study=self._study,
            generation=max(resource.metadata.generation, self._refused_generation),
            spec=resource.spec,
            history=trials.history(),
            jobs=jobs,
            ended={number: trial for number, trial in ended if trial is not None},
            vanished=self._world.jobs.vanished(self._study),
            status=self._shown,
            problem=self._problem,
            refusal=self._refusal,
            blocked_until=self._blocked_until,
            warnings=self._warnings,
        )

    async def _check_template(self, resource: TuningStudy, trials: TrialRepository) -> None:
        """Try the first Job once per generation: a template that can't run is refused before anything starts."""
        generation = resource.metadata.generation
        settled = self._checked_generation == generation and not self._may_try_again()
        if trials.history().total or settled:
            return
        manifest = trial_job(self._study, resource.spec, sample_trial(resource.spec), "http://dry-run", "dry-run")
        try:
            self._warnings = tuple(await self._world.jobs.check(self._study, manifest))
            self._take_refusal(None)
        except JobRefused as error:
            self._take_refusal(error)
        self._checked_generation = generation

    def _take_refusal(self, error: TuningError | None) -> None:
        pause = REFUSAL_SECONDS if isinstance(error, JobRefused) else AWAY_SECONDS
        self._problem = "" if error is None else str(error)
        self._blocked_until = None if error is None else self._world.clock.now() + pause

    def _may_try_again(self) -> bool:
        return self._blocked_until is not None and self._world.clock.now() >= self._blocked_until

    async def _apply(self, plan: Plan, snapshot: Snapshot, trials: TrialRepository, woken_at: float) -> bool:
        """Do what is planned; return whether all of it could be done. One Job's trouble stops no other."""
        if plan.outcomes:
            await trials.tell(plan.outcomes)
            reach(Point.END_STORED)
            self._report_ends(plan.outcomes, snapshot, trials)
        for new in plan.new_attempts:
            log.info("trial %d waits: %s", new.number, new.reason, extra=self._fields(new.number))
            await trials.start_attempt(new.number, new.attempt)
            reach(Point.ATTEMPT_STORED)
        deleted = [await self._delete(deletion) for deletion in plan.deletions]
        ended_at = woken_at if plan.outcomes else None
        await self._launch(plan.launches, snapshot, ended_at)
        if plan.ask:
            asked = await trials.ask(plan.ask)
            reach(Point.TRIALS_STORED)
            await self._launch([Launch(trial, "it was asked for") for trial in asked], snapshot, ended_at)
        if snapshot.history.started_at is None and self._created_at is not None and not self._problem:
            self._world.metrics.first_job_posted(self._study, self._world.clock.now() - self._created_at)
        return all(deleted) and not self._problem

    async def _delete(self, deletion: Deletion) -> bool:
        log.info("delete Job %s: %s", deletion.job, deletion.reason, extra=self._fields())
        try:
            await self._world.jobs.delete(self._study, deletion.job)
            reach(Point.JOB_DELETED)
        except TuningError as error:
            log.warning("the Job %s can't be deleted: %s", deletion.job, error, extra=self._fields())
            return False
        return True

    async def _launch(self, launches: Sequence[Launch], snapshot: Snapshot, ended_at: float | None) -> None:
        """Create the Jobs; `ended_at` is when trials ended whose slots they take."""
        creations = (self._create(launch, snapshot) for launch in launches)
        results = await asyncio.gather(*creations, return_exceptions=True)
        now = self._world.clock.now()
        troubles = [error for error in results if isinstance(error, TuningError)]
        if launches:
            self._take_refusal(troubles[0] if troubles else None)
        for error in results:
            if isinstance(error, BaseException) and not isinstance(error, TuningError):
                raise error
            if ended_at is not None and error is None:
                self._world.metrics.next_job_posted(self._study, now - ended_at)

    async def _create(self, launch: Launch, snapshot: Snapshot) -> None:
        trial, addresses = launch.trial, self._world.addresses
        url = addresses.report_url(self._study, trial.number, trial.attempt)
        token = addresses.report_token(self._study, trial.number, trial.attempt)
        manifest = trial_job(self._study, snapshot.spec, trial, url, token)
        await self._world.jobs.create(self._study, manifest)
        if has(Defect.DOUBLE_LAUNCH):
            await self._world.jobs.create(self._study, twin(manifest))
        reach(Point.JOB_CREATED)
        fields = self._fields(trial.number)
        log.info("trial %d starts, for %s: %s", trial.number, launch.reason, dict(trial.parameters), extra=fields)

    async def _show(self, snapshot: Snapshot) -> float | None:
        """Write the status if it changed: transitions at once, counters now and then; return when it is due."""
        status = study_status(snapshot, self._world.addresses.read_token(self._study))
        due = min(self._shown_at, snapshot.now) + self._status_seconds  # the clock may have been set back
        changed = status != self._shown
        if changed and (_is_transition(self._shown, status) or snapshot.now >= due):
            await self.write(status)
            return None
        self._world.metrics.study_shown(self._study, status)
        return due if changed else None

    async def write(self, status: StudyStatus) -> None:
        """Write a status, and announce what turned once it is written."""
        self._world.metrics.study_shown(self._study, status)
        await self._world.status.write(self._study, status.to_document())
        reach(Point.STATUS_WRITTEN)
        before, self._shown, self._shown_at = self._shown, status, self._world.clock.now()
        for event in announcements(before, status):
            self._world.events.record(self._study, warning=event.warning, reason=event.reason, message=event.message)

    def _report_ends(self, outcomes: Sequence[Outcome], snapshot: Snapshot, trials: TrialRepository) -> None:
        best = trials.history().best
        for outcome in outcomes:
            trial = trials.finished(outcome.number)
            if trial is None:
                continue
            self._world.metrics.trial_ended(self._study, snapshot.spec, outcome)
            log.info(_end_line(trial, best), extra=self._fields(trial.number))

    def _fields(self, trial: int | None = None) -> dict[str, object]:
        fields: dict[str, object] = {"namespace": self._study.namespace, "study": self._study.name}
        return fields if trial is None else {**fields, "trial": trial}


def _is_transition(before: StudyStatus, now: StudyStatus) -> bool:
    """Return whether a status says something that nobody should wait for."""
    turned = bool(announcements(before, now)) or len(before.conditions) != len(now.conditions)
    fields = ("phase", "best", "start_time", "completion_time", "observed_generation", "read_token")
    return turned or any(getattr(before, field) != getattr(now, field) for field in fields)


def _seconds(timestamp: str | None) -> float | None:
    return None if timestamp is None else datetime.fromisoformat(timestamp).timestamp()


def _end_line(trial: FinishedTrial, best: FinishedTrial | None) -> str:
    value = "" if trial.value is None else f" with value {trial.value:g}"
    why = f" ({trial.reason}{': ' + trial.message if trial.message else ''})" if trial.reason != trial.state else ""
    so_far = "" if best is None or best.value is None else f"; best is trial {best.number} with value {best.value:g}"
    return f"trial {trial.number} {trial.state.value}{value}{why}, parameters {dict(trial.parameters)}{so_far}"
