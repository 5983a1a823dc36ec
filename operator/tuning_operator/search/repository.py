"""A study's repository: its history, and everything that writes to it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import Connection

from tuning_contract import ReportBatch
from tuning_contract.environment import ParameterValue
from tuning_operator.api.named_parameters import NamedParameter
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.late_words import still_holds, with_all_reports
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import OpenTrial
from tuning_operator.errors import NotFound, ParameterRefused
from tuning_operator.ports import NO_ATTEMPTS, KeptPodTime, NewAttempt, Outcome, ReportAnswer
from tuning_operator.search import tables
from tuning_operator.search.attributes import (
    ACTIVE_TIME,
    ATTEMPT,
    EARLIER_ATTEMPTS,
    OUTLOOK,
    POD_TIME,
    RUNGS,
    KeptOutlook,
    asked_attributes,
    written,
    written_pod_time,
)
from tuning_operator.search.damage import check_trials
from tuning_operator.search.database import Database
from tuning_operator.search.endings import ending_of
from tuning_operator.search.history import Outlook, StudyHistory
from tuning_operator.search.judging import Judging
from tuning_operator.search.loading import study_attrs
from tuning_operator.search.naming import Wanted, known_value, named_value, wanted
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.pruners import make_pruner
from tuning_operator.search.receiving import SUPERSEDED, Receiving, answer_of_finished
from tuning_operator.search.sampling import Sampling
from tuning_operator.search.seeds import training_seed
from tuning_operator.search.space import Space
from tuning_operator.search.storage import MirroredStorage
from tuning_operator.search.study_record import StudyRecord, check_same_search, differences, search_fingerprint
from tuning_operator.search.study_rows import set_attrs
from tuning_operator.search.suggester import Past, Suggestion
from tuning_operator.search.times import to_local
from tuning_operator.search.trial_rows import (
    TrialEnding,
    find_trials,
    finish_trials,
    forget_values,
    insert_trials,
    set_param,
    set_user_attrs,
)
from tuning_operator.search.workers import Workers


class StudyRepository(StudyHistory):
    """Implements `TrialRepository`. Every write is committed first; memory follows in the commit's callback.

    Making it reads the database: call that off the event loop.
    """

    def __init__(self, database: Database, key: StudyKey, study_id: int, spec: StudySpec, workers: Workers) -> None:
        super().__init__(database, key, study_id)
        self._workers = workers
        self._asks: set[asyncio.Task[Sequence[OpenTrial]]] = set()
        self._ask_in_doubt = False
        """Whether an ask failed in a way that leaves open whether its trials are in the database."""
        self._judging = Judging(self._storage, self.reports_uid, workers.writer, workers.clock)
        self._receiving = Receiving(self.reports_uid, self._judging, workers.writer, workers.clock)
        check_same_search(self._record, spec)
        # A method of this object would tie it into a circle, and it would outlive the study that is closed.
        past = partial(_past, self.key, self._record, self._storage, self._warm.trials)
        self._sampling = Sampling(past, spec, workers)
        self._use_pruner(spec)

    @property
    def trouble(self) -> str:
        """Why nothing could be written the last time; empty: it could."""
        return self._workers.writer.trouble

    @property
    def search_failure(self) -> str:
        """Why the sampler failed when it was asked last; empty: it did not."""
        return self._sampling.failure

    async def gives_way_to(self, spec: StudySpec) -> bool:
        """Return whether the study should be loaded anew for a spec: its search is another one, and it has no trial."""
        if self._asks:
            await asyncio.wait(self._asks)
        return not self._frozen() and bool(differences(self._record, spec))

    async def apply(self, spec: StudySpec) -> None:
        """Take a changed spec.

        Raises
        ------
        InvalidStudy
            Its search space or its objective is another one.
        """
        check_same_search(self._record, spec)
        async with self._sampling.in_order:
            before = self._sampling.spec
            if (spec.search, spec.parallelism) == (before.search, before.parallelism):
                return
            await self._sampling.change(spec)
            if spec.search.pruner != before.search.pruner or spec.search.seed != before.search.seed:
                self._use_pruner(spec)

    async def retire(self) -> None:
        """Let nothing more be written: the study is gone. When it returns, nothing is being written."""
        if self._asks:
            await asyncio.wait(self._asks)
        self.suggest_no_more()
        trials = [*self._open.values()]
        self._open.clear()
        for trial in trials:
            async with trial.lock:
                pass

    def suggest_no_more(self) -> None:
        """Let nothing be prepared any more that nobody will ask for."""
        self._sampling.drop()

    def _use_pruner(self, spec: StudySpec) -> None:
        pruner = make_pruner(spec.search.pruner, self._directions()[0], self._sampling.seed)
        self._judging.use(pruner, self._frozen(), self._open)

    def _outlook(self) -> Outlook:
        return self._sampling.outlook

    def _directions(self) -> list[StudyDirection]:
        return self._storage.get_study_directions(self._record.study_id)

    async def ask(self, count: int, first_attempts: Mapping[int, int] = NO_ATTEMPTS) -> Sequence[OpenTrial]:
        """Ask for trials in one transaction; fewer once the space is exhausted, when the sampler is slow, or while a
        strategy waits."""
        # Shielded: a caller that goes away must not leave open what was stored.
        task = asyncio.create_task(self._ask(count, first_attempts))
        self._asks.add(task)
        task.add_done_callback(self._asked_for)
        return await asyncio.shield(task)

    def _asked_for(self, task: asyncio.Task[Sequence[OpenTrial]]) -> None:
        self._asks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; where nobody does any more, nobody is to be told

    async def start_attempt(self, new: NewAttempt) -> bool:
        """Store that an attempt follows, unless the trial has come to its end meanwhile; return whether it does."""
        trial = self._open.get(new.number)
        if trial is None:
            raise NotFound(f"the study {self.key} has no open trial {new.number}")
        async with trial.lock:
            if new.attempt <= trial.attempt or not still_holds(new, trial.view()):
                return False
            attrs: dict[str, Any] = {ATTEMPT: new.attempt, EARLIER_ATTEMPTS: written(new.earlier)}
            is_another = new.attempt == new.earlier.first  # what came before was another trial's
            if is_another and trial.rungs:
                attrs[RUNGS] = {}

            def follow(_: None) -> None:
                trial.start(new.attempt, new.earlier)
                if is_another:
                    self._judging.forget_rungs(trial)
                self._storage.add_user_attrs(trial.trial_id, attrs)

            def store(connection: Connection) -> None:
                set_user_attrs(connection, {trial.trial_id: attrs})
                if is_another:
                    forget_values(connection, trial.trial_id)

            await self._workers.writer.run(store, follow)
            return True

    async def keep_active_time(self, active: ActiveTime) -> None:
        """Store the study's clock."""

        def keep(_: None) -> None:
            self._active = active

        study_id, attrs = self._record.study_id, {ACTIVE_TIME: written(active)}
        await self._workers.writer.run(
            lambda connection: set_attrs(connection, tables.study_user_attributes, study_id, attrs), keep
        )

    async def keep_outlook(self) -> None:
        """Store what the search can still do, for whoever shows the study without searching."""
        outlook = self._outlook()
        kept = KeptOutlook(search_fingerprint(self._sampling.spec), outlook.size, outlook.infeasible)

        def keep(_: None) -> None:
            self._kept_outlook = kept

        study_id, attrs = self._record.study_id, {OUTLOOK: written(kept)}
        await self._workers.writer.run(
            lambda connection: set_attrs(connection, tables.study_user_attributes, study_id, attrs), keep
        )

    async def keep_pod_times(self, times: Sequence[KeptPodTime]) -> None:
        """Store how long attempts have had a running pod, all in one transaction."""
        async with AsyncExitStack() as stack:
            await self._lock_open(stack, [kept.number for kept in times])
            of_newest = [
                (trial, kept.time)
                for kept in times
                if (trial := self._open.get(kept.number)) is not None and trial.attempt == kept.attempt
            ]
            rows = {trial.trial_id: {POD_TIME: written_pod_time(time, trial.attempt)} for trial, time in of_newest}

            def keep(_: None) -> None:
                for trial, time in of_newest:
                    trial.keep_pod_time(time)
                    self._storage.add_user_attrs(trial.trial_id, rows[trial.trial_id])

            await self._workers.writer.run(lambda connection: set_user_attrs(connection, rows), keep)

    async def tell(self, outcomes: Sequence[Outcome]) -> Set[int]:
        """Store how trials ended, all in one transaction; return those whose outcomes do not hold."""
        first = {outcome.number: outcome for outcome in reversed(outcomes)}
        async with AsyncExitStack() as stack:
            for number in first:
                if number not in self._open and self.finished(number) is None:
                    raise NotFound(f"the study {self.key} has no trial {number}")
            await self._lock_open(stack, first)
            now = round(self._workers.clock.now(), 6)  # what the database keeps
            await stack.enter_async_context(self._sampling.in_order)
            found = ((outcome, self._open.get(number)) for number, outcome in sorted(first.items()))
            still_open = [(outcome, trial) for outcome, trial in found if trial is not None]
            holding = [(outcome, trial) for outcome, trial in still_open if still_holds(outcome, trial.view())]
            asked = len(self._frozen())
            endings = [
                ending_of(with_all_reports(outcome, trial.view()), trial, now, asked) for outcome, trial in holding
            ]
            if endings:
                await self._workers.writer.run(
                    lambda connection: finish_trials(connection, endings), lambda _: self._finish(endings)
                )
            return {trial.number for _, trial in still_open} - {trial.number for _, trial in holding}

    async def _lock_open(self, stack: AsyncExitStack, numbers: Iterable[int]) -> None:
        """Lock those of these trials that are open, always in the same order."""
        for number in sorted(numbers):
            if number in self._open:
                await stack.enter_async_context(self._open[number].lock)

    async def report(
        self, number: int, attempt: int, batch: ReportBatch, *, run: int = 0, afresh: bool = False
    ) -> ReportAnswer:
        """Store a batch of a run's reports and decide whether the trial should stop, with all its runs."""
        if not 0 <= run < self._record.runs:
            raise NotFound(f"the trials of the study {self.key} have no run {run}")
        trial = self._open.get(number)
        if trial is None:
            return self._answer_of_finished(number, attempt)
        async with trial.lock:
            if number not in self._open:
                return self._answer_of_finished(number, attempt)
            if not 1 <= attempt <= trial.attempt:
                raise NotFound(f"the study {self.key} has no attempt {attempt} of trial {number}")
            if attempt < trial.attempt:
                return SUPERSEDED
            return await self._receiving.take(trial, run, batch, afresh)

    async def choose_parameter(self, number: int, attempt: int, parameter: NamedParameter) -> ParameterValue:
        """Return a parameter that a trial's code names, and store it where the trial has not got it yet."""
        if not self._record.define_by_run:
            raise ParameterRefused(
                f"the study {self.key} has all its parameters in `parameters`, where `{parameter.name}` is not; add "
                "it, or let the study say `defineByRun: true`"
            )
        async with self._asking_trial(number, attempt) as trial:
            new = wanted(number, parameter)
            stored = known_value(self._frozen()[number], new)
            if stored is None and any(parameter.name == known.name for known in self._record.parameters):
                raise ParameterRefused(
                    f"`{parameter.name}` is one of the study's own `parameters`, which is Fixed or which this trial "
                    "does not have; read it from TUNING_PARAMETERS, or give what the code names another name"
                )
            if stored is None:
                stored = await self._name(trial, new)
            return Space.value_of(parameter, {parameter.name: stored})

    @asynccontextmanager
    async def _asking_trial(self, number: int, attempt: int) -> AsyncIterator[TrialProgress]:
        """Hold the lock of an open trial whose newest attempt asks for something."""
        trial = self._open.get(number)
        if trial is not None:
            async with trial.lock:
                if number in self._open and attempt == trial.attempt:
                    yield trial
                    return
        raise NotFound(f"the study {self.key} has no running attempt {attempt} of trial {number}")

    async def _name(self, trial: TrialProgress, new: Wanted) -> Any:
        """Choose a parameter's value and store it; return it as Optuna has it."""
        async with self._sampling.naming(new) as stored:

            def accept(_: None) -> None:
                frozen = self._storage.get_trial(trial.trial_id)
                self._storage.replace(
                    trial.trial_id,
                    params={**frozen.params, new.name: stored},
                    distributions={**frozen.distributions, new.name: new.distribution},
                )
                trial.accept_parameter(new.name, named_value(new.distribution, stored))

            await self._workers.writer.run(
                lambda connection: set_param(connection, trial.trial_id, new.name, stored, new.distribution), accept
            )
            return stored

    def _answer_of_finished(self, number: int, attempt: int) -> ReportAnswer:
        trial = self.finished(number)
        if trial is None or not 1 <= attempt <= trial.attempt:
            raise NotFound(f"the study {self.key} has no attempt {attempt} of trial {number}")
        return answer_of_finished(trial)

    async def _ask(self, count: int, first_attempts: Mapping[int, int]) -> Sequence[OpenTrial]:
        async with self._sampling.in_order:
            if self._ask_in_doubt:
                found = await self._find_unknown()
                if found:
                    return found
            async with self._sampling.anew_after_errors():  # what was taken is not stored
                suggestions = await self._sampling.take(count)
                now = round(self._workers.clock.now(), 6)  # what the database keeps
                trials = [self._asked(suggestion.trial, now, first_attempts) for suggestion in suggestions]
                return await self._insert(trials, suggestions) if trials else []

    def _asked(self, suggested: FrozenTrial, now: float, first_attempts: Mapping[int, int]) -> FrozenTrial:
        trial = copy.copy(suggested)
        trial.datetime_start = to_local(now)
        seed = training_seed(self._sampling.seed, trial.number)
        trial.user_attrs = {**asked_attributes(seed, first_attempts.get(trial.number, 1)), **trial.user_attrs}
        return trial

    async def _insert(self, trials: Sequence[FrozenTrial], suggestions: Sequence[Suggestion]) -> Sequence[OpenTrial]:
        study_id, last_id = self._record.study_id, self._last_id(before=trials[0].number)
        notes = {name: value for suggestion in suggestions for name, value in suggestion.notes.items()}

        def insert(connection: Connection) -> list[int]:
            if notes:
                set_attrs(connection, tables.study_system_attributes, study_id, notes)
            return insert_trials(connection, study_id, last_id, trials)

        def take(ids: list[int]) -> None:
            for trial, trial_id in zip(trials, ids, strict=True):
                trial._trial_id = trial_id
            self._take_asked(trials, notes)

        self._ask_in_doubt = True
        await self._workers.writer.run(insert, take)
        self._ask_in_doubt = False
        return [self._open[trial.number].view() for trial in trials]

    async def _find_unknown(self) -> Sequence[OpenTrial]:
        """Take the trials of an ask whose commit succeeded although its connection was lost."""
        study_id, first = self._record.study_id, len(self._frozen())
        last_id = self._last_id(before=first)

        def find(connection: Connection) -> tuple[list[FrozenTrial], dict[str, Any]]:
            trials = self._checked(find_trials(connection, study_id, last_id), first)
            return trials, study_attrs(connection, tables.study_system_attributes, study_id)

        found, _ = await self._workers.writer.run(find, lambda found: self._take_asked(*found))
        self._ask_in_doubt = False
        if found:
            self._sampling.begin_anew()
        return [self._open[trial.number].view() for trial in found]

    def _take_asked(self, trials: Sequence[FrozenTrial], notes: Mapping[str, Any]) -> None:
        """Take trials, and what their sampler noted about the study, which are in the database."""
        study_id = self._record.study_id
        self._storage.note(study_id, notes)
        self._storage.append(study_id, trials)
        for trial in trials:
            self._open[trial.number] = self._progress(trial)
        self._sampling.taken()

    def _checked(self, trials: list[FrozenTrial], first: int) -> list[FrozenTrial]:
        return check_trials(self.key, trials, len(self._record.objectives), first)

    def _last_id(self, before: int) -> int:
        return self._frozen()[before - 1]._trial_id if before else -1

    def _finish(self, endings: Sequence[TrialEnding]) -> None:
        told = [self._told(ending) for ending in endings]
        for trial in told:
            self._tally.add(self._finished(trial))
            self._judging.take_end(trial)
        self._sampling.learn(told)

    def _told(self, ending: TrialEnding) -> FrozenTrial:
        before = self._storage.get_trial(ending.trial_id)
        progress = self._open.pop(before.number)
        return self._storage.replace(
            ending.trial_id,
            intermediate_values=progress.values_by_step(),
            state=ending.state,
            values=list(ending.values) or None,
            datetime_complete=ending.completed_at,
            user_attrs={**before.user_attrs, **ending.user_attrs},
            system_attrs={**before.system_attrs, **ending.system_attrs},
        )


def _past(
    key: StudyKey, record: StudyRecord, storage: MirroredStorage, warm: Sequence[FrozenTrial], spec: StudySpec
) -> Past:
    """Return a study as it is stored."""
    return Past(
        name=str(key),
        directions=storage.get_study_directions(record.study_id),
        seed=record.seed if spec.search.seed is None else spec.search.seed,
        spec=spec,
        trials=storage.get_all_trials(record.study_id, deepcopy=False),
        notes=storage.get_study_system_attrs(record.study_id),
        warm=warm,
    )
