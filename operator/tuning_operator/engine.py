"""Observe, decide, apply: one study's cycle.

The engine knows the ports only. Every step of `_apply` may be the last one before a crash: each is repeated safely,
because the next cycle decides anew from what is stored and what runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from tuning_operator.api.names import job_name
from tuning_operator.api.status import StudyStatus, read_status
from tuning_operator.api.study import TuningStudy
from tuning_operator.decisions.actions import Deletion, Launch, NewAttempt, Outcome, Plan
from tuning_operator.decisions.events import announcements
from tuning_operator.decisions.history import History
from tuning_operator.decisions.hold_ups import hold_ups
from tuning_operator.decisions.in_order import NONE_COUNTED, in_order
from tuning_operator.decisions.job_trouble import AWAY_SECONDS, NO_TROUBLE
from tuning_operator.decisions.log_reading import logs_to_read
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import Snapshot, StudyKey
from tuning_operator.decisions.stray_jobs import first_attempts, told_apart
from tuning_operator.decisions.study_status import study_status
from tuning_operator.decisions.trial_job import sample_trial, trial_job
from tuning_operator.decisions.trials import FinishedTrial
from tuning_operator.errors import JobRefused, SearchFailed, TuningError
from tuning_operator.fair_use import FairUse
from tuning_operator.fault_points import Defect, Point, has, reach, twin
from tuning_operator.job_creations import JobCreations
from tuning_operator.ports import (
    Addresses,
    Clock,
    EventRecorder,
    StudyMetrics,
    StudyStatusWriter,
    TrialJobs,
    TrialLogs,
    TrialRepository,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class World:
    """Everything outside that a study needs; the same for all studies of a process."""

    jobs: TrialJobs
    logs: TrialLogs
    status: StudyStatusWriter
    events: EventRecorder
    addresses: Addresses
    clock: Clock
    metrics: StudyMetrics
    fair_use: FairUse
    room: int | None = None
    """How many Jobs of a study there is room for at a time; None: the cluster says."""


class StudyEngine:
    """Runs one study, a step at a time."""

    def __init__(
        self, study: StudyKey, resource: TuningStudy, world: World, status_seconds: float, wake: Callable[[], None]
    ) -> None:
        self._study = study
        self._creations = JobCreations(wake)
        self._world = world
        self._status_seconds = status_seconds
        self._shown = read_status(resource.status)
        self._shown_at = float("-inf")
        self._created_at = _seconds(resource.metadata.creation_timestamp)
        self._trouble = NO_TROUBLE
        self._first_attempts: Mapping[int, int] = {}
        self._counted = NONE_COUNTED
        self._counted_for: tuple[int, TrialRepository] | None = None
        self._warnings: tuple[str, ...] = ()
        self._checked_generation = -1
        self._refusal, self._refused_generation = "", 0
        # What was shown last counts until the history is loaded: other studies may ask for trials before.
        shown = self._shown.trials
        world.fair_use.take_stock(study, shown.waiting + shown.pending + shown.running, shown.total)

    def refuse(self, problem: str, generation: int) -> None:
        """Take note that a newer spec is wrong: the study goes on with the last good one, and its status says so."""
        self._refusal, self._refused_generation = problem, generation

    @property
    def shown(self) -> StudyStatus:
        """The status that was written last."""
        return self._shown

    async def settle(self) -> None:
        """Wait until the API server has answered about all Jobs that are being created."""
        await self._creations.settle()

    def halt(self) -> None:
        """Let go of the Jobs that are being created; the step in flight is ended by whoever runs it."""
        self._creations.cancel()

    async def step(self, resource: TuningStudy, trials: TrialRepository, woken_at: float) -> float | None:
        """Do all that is to be done now; return when to look again although nothing happens (seconds since 1970).

        `woken_at` is when the oldest of the events came that this step answers.
        """
        self._creations.raise_defect()
        await self._check_template(resource, trials)
        snapshot, plan = self._decide(resource, trials)
        dues: list[float | None] = []
        if not plan.is_empty:
            try:
                done = await self._apply(plan, snapshot, trials, woken_at)
            except SearchFailed:
                # The trials that run go on. When the last of them ends, nothing more happens that could show it.
                await self._show(self._observe(resource, trials), at_once=True)
                raise
            snapshot, plan = self._decide(resource, trials)
            if not plan.is_empty:
                dues.append(self._world.clock.now() + (0 if done else AWAY_SECONDS))
        dues += [plan.requeue_at, await self._show(snapshot)]
        return min((due for due in dues if due is not None), default=None)

    def _decide(self, resource: TuningStudy, trials: TrialRepository) -> tuple[Snapshot, Plan]:
        """Observe and decide; what the plan asks for is reserved before any other study looks."""
        snapshot = self._observe(resource, trials)
        plan = decide(snapshot)
        self._world.fair_use.reserve(self._study, plan.ask, held_back=bool(plan.held_back))
        wanted = plan.launches or plan.ask or not self._creations.is_empty
        if self._trouble.may_be_over(snapshot.now) and not wanted:
            self._trouble = NO_TROUBLE  # whoever needed the Job that could not be created is gone
        return replace(snapshot, held_back=plan.held_back, problem=self._trouble.problem), plan

    def _observe(self, resource: TuningStudy, trials: TrialRepository) -> Snapshot:
        history = self._history(resource, trials)
        jobs, strays = told_apart(self._creations.and_seen(self._world.jobs.observed(self._study)), history)
        self._first_attempts = first_attempts(self._first_attempts, strays)
        leaving = {job.trial for job in jobs if job.is_active}
        ended = ((number, trials.finished(number)) for number in leaving)
        now = self._world.clock.now()
        self._world.fair_use.take_stock(self._study, len(history.open), history.total)
        self._trouble = self._trouble.seen_at(now)
        snapshot = Snapshot(
            now=now,
            study=self._study,
            generation=max(resource.metadata.generation, self._refused_generation),
            spec=resource.spec,
            history=history,
            jobs=jobs,
            strays=strays,
            ended={number: trial for number, trial in ended if trial is not None},
            storage_trouble=trials.trouble,
            search_failure=trials.search_failure,
            vanished=self._world.jobs.vanished(self._study),
            read_logs=self._world.logs.read(self._study),
            status=self._shown,
            problem=self._trouble.problem,
            refusal=self._refusal,
            blocked_until=self._trouble.blocked_until,
            room=self._world.room,
            allowance=self._world.fair_use.allowance(self._study),
            warnings=self._warnings,
        )
        self._world.logs.follow(self._study, resource.spec, logs_to_read(snapshot), trials)
        return snapshot

    def _history(self, resource: TuningStudy, trials: TrialRepository) -> History:
        """Return the trials, and what counts of them; that is kept until the spec or the repository is another."""
        counted_for = resource.metadata.generation, trials
        known = self._counted if counted_for == self._counted_for else NONE_COUNTED
        history = in_order(trials.history(), trials.finished, resource.spec, known)
        self._counted, self._counted_for = history.in_order or NONE_COUNTED, counted_for
        return history

    async def _check_template(self, resource: TuningStudy, trials: TrialRepository) -> None:
        """Try the first Job once per generation: a template that can't run is refused before anything starts."""
        generation, now = resource.metadata.generation, self._world.clock.now()
        is_new = self._checked_generation != generation
        if trials.history().total or not (is_new or self._trouble.may_be_over(now)):
            return
        sample = sample_trial(resource.spec)
        access = self._world.addresses.report_access(self._study, sample.number, sample.attempt)
        manifest = trial_job(self._study, resource.spec, sample, access)
        try:
            self._warnings = tuple(await self._world.jobs.check(self._study, manifest))
            self._trouble = NO_TROUBLE
        except JobRefused as error:
            trouble = NO_TROUBLE if is_new else self._trouble
            self._trouble = trouble.after(error, now, self._world.clock.now())
        self._checked_generation = generation

    async def _apply(self, plan: Plan, snapshot: Snapshot, trials: TrialRepository, woken_at: float) -> bool:
        """Do what is planned; return whether all of it could be done. One Job's trouble stops no other."""
        if plan.active_time is not None:
            await trials.keep_active_time(plan.active_time)
        if plan.pod_times:
            await trials.keep_pod_times(plan.pod_times)
        overtaken: set[int] = set()
        """Trials that came to another end meanwhile: what becomes of them and their Jobs is to be decided anew."""
        if plan.outcomes:
            overtaken |= await trials.tell(plan.outcomes)
            reach(Point.END_STORED)
            self._report_ends(plan.outcomes, snapshot, trials)
        for new in plan.new_attempts:
            if not await trials.start_attempt(new):
                overtaken.add(new.number)
                continue
            reach(Point.ATTEMPT_STORED)
            self._world.metrics.attempt_replaced(self._study, snapshot.spec, new)
            log.info(_retry_line(new), extra=self._fields(new.number))
        deleted = [await self._delete(deletion) for deletion in plan.deletions if deletion.trial not in overtaken]
        if overtaken:
            return all(deleted)
        ended_at = woken_at if plan.outcomes else None
        self._launch(plan.launches, snapshot, ended_at)
        if plan.ask:
            asked = await trials.ask(plan.ask, self._first_attempts)
            reach(Point.TRIALS_STORED)
            self._launch([Launch(trial, "it was asked for") for trial in asked], snapshot, ended_at)
        return all(deleted) and not self._trouble.problem

    async def _delete(self, deletion: Deletion) -> bool:
        log.info("delete Job %s: %s", deletion.job, deletion.reason, extra=self._fields(deletion.trial))
        await self._creations.settle(deletion.job)
        try:
            await self._world.jobs.delete(self._study, deletion.job)
            reach(Point.JOB_DELETED)
            if deletion.event:
                message = f"the Job {deletion.job} was deleted: {deletion.reason}; was the storage restored?"
                self._world.events.record(self._study, warning=True, reason=deletion.event, message=message)
        except TuningError as error:
            log.warning("the Job %s can't be deleted: %s", deletion.job, error, extra=self._fields(deletion.trial))
            return False
        return True

    def _launch(self, launches: Sequence[Launch], snapshot: Snapshot, ended_at: float | None) -> None:
        """Begin to create the Jobs; `ended_at` is when trials ended whose slots they take."""
        for launch in launches:
            trial, now = launch.trial, self._world.clock.now()
            name = job_name(self._study.name, self._study.uid, trial.number, trial.attempt)
            job = TrialJob(name, trial.number, trial.attempt, JobPhase.PENDING, created_at=now)
            self._creations.start(job, partial(self._try_to_create, launch, snapshot, ended_at, now))

    async def _try_to_create(self, launch: Launch, snapshot: Snapshot, ended_at: float | None, begun_at: float) -> None:
        try:
            await self._create(launch, snapshot)
        except TuningError as error:
            self._trouble = self._trouble.after(error, begun_at, self._world.clock.now())
            return
        now, blocked_until = self._world.clock.now(), self._trouble.blocked_until
        if blocked_until is None or begun_at >= blocked_until:  # no other one failed since
            self._trouble = NO_TROUBLE
        if ended_at is not None:
            self._world.metrics.next_job_posted(self._study, now - ended_at)
        if snapshot.history.started_at is None and self._created_at is not None:
            self._world.metrics.first_job_posted(self._study, now - self._created_at)
            self._created_at = None

    async def _create(self, launch: Launch, snapshot: Snapshot) -> None:
        trial, addresses = launch.trial, self._world.addresses
        access = addresses.report_access(self._study, trial.number, trial.attempt)
        manifest = trial_job(self._study, snapshot.spec, trial, access)
        await self._world.jobs.create(self._study, manifest)
        if has(Defect.DOUBLE_LAUNCH):
            await self._world.jobs.create(self._study, twin(manifest))
        reach(Point.JOB_CREATED)
        fields = self._fields(trial.number)
        log.info("trial %d starts, for %s: %s", trial.number, launch.reason, dict(trial.parameters), extra=fields)

    async def _show(self, snapshot: Snapshot, *, at_once: bool = False) -> float | None:
        """Write the status if it changed: transitions at once, counters now and then; return when it is due."""
        status = study_status(snapshot, self._world.addresses.read_token(self._study))
        self._world.metrics.trials_held_up(self._study, hold_ups(snapshot))
        due = min(self._shown_at, snapshot.now) + self._status_seconds  # the clock may have been set back
        changed = status.model_copy(update={"usage": self._shown.usage}) != self._shown  # usage rides along
        if changed and (at_once or _is_transition(self._shown, status) or snapshot.now >= due):
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
        best, typical = trials.history().best, snapshot.history.typical_seconds
        for outcome in outcomes:
            trial = trials.finished(outcome.number)
            if trial is None:
                continue
            self._world.metrics.trial_ended(self._study, snapshot.spec, outcome, typical)
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


def _retry_line(new: NewAttempt) -> str:
    why = f"{new.reason}{': ' + new.earlier.message if new.earlier.message else ''}"
    return f"trial {new.number} waits for attempt {new.attempt}, for the one before ended: {why}"


def _end_line(trial: FinishedTrial, best: FinishedTrial | None) -> str:
    further = "".join(f", {metric} {value:g}" for metric, value in trial.further.items())
    value = "" if trial.value is None else f" with value {trial.value:g}{further}"
    why = f" ({trial.reason}{': ' + trial.message if trial.message else ''})" if trial.reason != trial.state else ""
    so_far = "" if best is None or best.value is None else f"; best is trial {best.number} with value {best.value:g}"
    return f"trial {trial.number} {trial.state.value}{value}{why}, parameters {dict(trial.parameters)}{so_far}"
