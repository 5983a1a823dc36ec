"""A study's repository: its history, and everything that writes to it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuning_contract import ReportBatch, ReportReply
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import EndState, OpenTrial, StudyKey
from tuning_operator.errors import NotFound
from tuning_operator.ports import Clock, Outcome, ReportAnswer
from tuning_operator.search.asking import Asking
from tuning_operator.search.database import Database
from tuning_operator.search.history import ATTEMPT, MESSAGE, REASON, RUNNING_SECONDS, StudyHistory
from tuning_operator.search.open_trial import NewReports, TrialProgress
from tuning_operator.search.pruners import make_pruner
from tuning_operator.search.report_rows import AttemptKey, ReportRows
from tuning_operator.search.study_record import check_same_search
from tuning_operator.search.times import to_local
from tuning_operator.search.trial_rows import TrialEnding, finish_trials, insert_trials, set_user_attrs
from tuning_operator.search.writer import GroupCommit

_STATES = {
    EndState.COMPLETE: TrialState.COMPLETE,
    EndState.PRUNED: TrialState.PRUNED,
    EndState.FAILED: TrialState.FAIL,
}


@dataclass(frozen=True)
class Workers:
    """What the repositories of one storage share."""

    writer: GroupCommit
    askers: Executor
    """Threads that samplers run in, so that the event loop goes on."""
    clock: Clock


class StudyRepository(StudyHistory):
    """Implements `TrialRepository`. Every write is committed first; memory follows in the commit's callback.

    Making it reads the database: call that off the event loop.
    """

    def __init__(self, database: Database, key: StudyKey, study_id: int, spec: StudySpec, workers: Workers) -> None:
        super().__init__(database, key, study_id)
        self._workers = workers
        self._study = optuna.load_study(
            study_name=self._storage.get_study_name_from_id(study_id), storage=self._storage
        )
        self._turn_to_ask = asyncio.Lock()
        self._asks: set[asyncio.Task[Sequence[OpenTrial]]] = set()
        self._use(spec)

    async def apply(self, spec: StudySpec) -> None:
        """Take a changed spec.

        Raises
        ------
        InvalidStudy
            Its search space or its objective is another one.
        """
        async with self._turn_to_ask:  # the sampler must not change under a trial
            self._use(spec)

    def _use(self, spec: StudySpec) -> None:
        check_same_search(self._record, spec)
        self._pruner = make_pruner(spec.search.pruner)
        self._asking = Asking(self._study, self._storage, self._space, self._record, spec.search)
        self._size = self._asking.size

    async def ask(self, count: int) -> Sequence[OpenTrial]:
        """Ask for trials in one transaction; fewer or none once the space is exhausted."""
        # Shielded: a caller that goes away must not leave drafts behind.
        task = asyncio.create_task(self._ask(count))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)
        return await asyncio.shield(task)

    async def start_attempt(self, number: int, attempt: int) -> None:
        """Store that an attempt follows."""
        trial = self._open.get(number)
        if trial is None:
            raise NotFound(f"the study {self.key} has no open trial {number}")
        async with trial.lock:
            if attempt <= trial.attempt:
                return

            def follow(_: None) -> None:
                trial.start(attempt)
                attrs = self._storage.get_trial(trial.trial_id).user_attrs
                self._storage.replace(trial.trial_id, user_attrs={**attrs, ATTEMPT: attempt})

            attrs = {trial.trial_id: {ATTEMPT: attempt}}
            await self._workers.writer.run(lambda connection: set_user_attrs(connection, attrs), follow)

    async def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Store how trials ended, all in one transaction."""
        first = {outcome.number: outcome for outcome in reversed(outcomes)}
        async with AsyncExitStack() as stack:
            for number in sorted(first):
                if number in self._open:
                    await stack.enter_async_context(self._open[number].lock)
                elif self.finished(number) is None:
                    raise NotFound(f"the study {self.key} has no trial {number}")
            now = round(self._workers.clock.now(), 6)  # what the database keeps
            endings = [(_sound(outcome), self._open[n]) for n, outcome in sorted(first.items()) if n in self._open]
            if endings:
                rows = [_ending(outcome, trial, now) for outcome, trial in endings]
                await self._workers.writer.run(
                    lambda connection: finish_trials(connection, rows), lambda _: self._finish(rows)
                )

    async def report(self, number: int, attempt: int, batch: ReportBatch) -> ReportAnswer:
        """Store a batch of reports and decide whether the trial should stop."""
        trial = self._open.get(number)
        if trial is None:
            return self._answer_of_finished(number, attempt)
        async with trial.lock:
            if number not in self._open:
                return self._answer_of_finished(number, attempt)
            if not 1 <= attempt <= trial.attempt:
                raise NotFound(f"the study {self.key} has no attempt {attempt} of trial {number}")
            if attempt < trial.attempt:
                return ReportAnswer(ReportReply(stop=True, reason="Superseded"), wake=False)
            if trial.end is not None:
                return ReportAnswer(_reply(trial), wake=False)
            return await self._take(trial, batch)

    async def _take(self, trial: TrialProgress, batch: ReportBatch) -> ReportAnswer:
        new = trial.sift(batch.reports)
        is_first = bool(new.reports) and not trial.has_reported
        if new.reports or batch.end is not None:
            now = self._workers.clock.now()
            key = AttemptKey(self.key.uid, trial.number, trial.attempt)
            rows = ReportRows()
            rows.add_reports(key, new.reports, now)
            rows.add_values(trial.trial_id, new.values, new.stale_steps)
            if batch.end is not None:
                rows.add_end(key, batch.end, now)
            await self._workers.writer.add(rows, partial(self._accept, trial, new, batch, now))
        seconds, pruned_now = await self._decide(trial)
        wake = is_first or batch.end is not None or pruned_now or (bool(new.values) and not trial.is_finite)
        return ReportAnswer(_reply(trial, ended=False), wake, seconds)

    def _accept(self, trial: TrialProgress, new: NewReports, batch: ReportBatch, now: float) -> None:
        if new.reports:
            trial.accept(new, now, now)
        if new.values or new.stale_steps:
            self._storage.replace(trial.trial_id, intermediate_values=dict(trial.values))
        if batch.end is not None:
            trial.accept_end(batch.end)

    async def _decide(self, trial: TrialProgress) -> tuple[float | None, bool]:
        """Decide whether to prune on values that came in; return how long it took, and whether it was decided now.

        The decision is stored before anybody hears of it, so that it is the same after a restart.
        """
        if self._pruner is None or not trial.prune_due or trial.end is not None or trial.prune_decided_at is not None:
            return None, False
        start = time.perf_counter()
        prune = self._pruner.prune(self._study, self._storage.get_trial(trial.trial_id))
        seconds = time.perf_counter() - start
        if prune:
            now = self._workers.clock.now()
            rows = ReportRows()
            rows.add_prune_decision(AttemptKey(self.key.uid, trial.number, trial.attempt), now)
            await self._workers.writer.add(rows, lambda: trial.accept_prune_decision(now))
        trial.prune_due = False
        return seconds, prune

    def _answer_of_finished(self, number: int, attempt: int) -> ReportAnswer:
        trial = self.finished(number)
        if trial is None or not 1 <= attempt <= trial.attempt:
            raise NotFound(f"the study {self.key} has no attempt {attempt} of trial {number}")
        reason = "Pruned" if trial.state is EndState.PRUNED else "Ended"
        return ReportAnswer(ReportReply(stop=True, reason=reason), wake=False)

    async def _ask(self, count: int) -> Sequence[OpenTrial]:
        async with self._turn_to_ask:
            study_id = self._record.study_id
            now = round(self._workers.clock.now(), 6)  # what the database keeps
            loop = asyncio.get_running_loop()
            try:
                drafts = await loop.run_in_executor(self._workers.askers, self._asking.draft, count, to_local(now))
                if not drafts:
                    return []
                newest = self._last_id()
                adopted: list[FrozenTrial] = []
                await self._workers.writer.run(
                    lambda connection: insert_trials(connection, study_id, newest, drafts),
                    lambda ids: adopted.extend(self._adopt(ids)),
                )
            finally:
                self._storage.drop_drafts(study_id)
            return [self._open[trial.number].view() for trial in adopted]

    def _adopt(self, ids: Sequence[int]) -> list[FrozenTrial]:
        adopted = self._storage.adopt(self._record.study_id, ids)
        for trial in adopted:
            self._open[trial.number] = self._progress(trial)
        return adopted

    def _last_id(self) -> int:
        return max((trial._trial_id for trial in self._frozen()), default=-1)

    def _finish(self, endings: Sequence[TrialEnding]) -> None:
        for ending in endings:
            attrs = self._storage.get_trial(ending.trial_id).user_attrs
            told = self._storage.replace(
                ending.trial_id,
                state=ending.state,
                values=None if ending.value is None else [ending.value],
                datetime_complete=ending.completed_at,
                user_attrs={**attrs, **ending.user_attrs},
            )
            del self._open[told.number]
            self._tally.add(self._finished(told))


def _reply(trial: TrialProgress, ended: bool = True) -> ReportReply:
    if trial.prune_decided_at is not None:
        return ReportReply(stop=True, reason="Pruned")
    if not trial.is_finite:
        return ReportReply(stop=True, reason="NotFinite")
    return ReportReply(stop=True, reason="Ended") if ended else ReportReply()


def _sound(outcome: Outcome) -> Outcome:
    """Return the outcome as Optuna can keep it: a complete trial has a finite value, a failed one has none."""
    finite = outcome.value is not None and math.isfinite(outcome.value)
    if outcome.state is EndState.COMPLETE and not finite:
        return replace(outcome, state=EndState.FAILED, value=None)
    if outcome.state is EndState.FAILED or not finite:
        return replace(outcome, value=None)
    return outcome


def _ending(outcome: Outcome, trial: TrialProgress, now: float) -> TrialEnding:
    return TrialEnding(
        trial_id=trial.trial_id,
        state=_STATES[outcome.state],
        value=outcome.value,
        completed_at=to_local(now),
        user_attrs={
            REASON: outcome.reason,
            MESSAGE: outcome.message,
            RUNNING_SECONDS: outcome.running_seconds,
            ATTEMPT: trial.attempt,
        },
    )
