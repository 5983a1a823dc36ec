"""A study's history, as it is loaded from the database: everything that only reads."""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, select

from tuning_contract import FinalState, Report, TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_contract.reports import number_from_json
from tuning_operator.decisions.history import ActiveTime, History
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.tally import Tally
from tuning_operator.decisions.trials import EndState, FinishedTrial, OpenTrial
from tuning_operator.errors import StorageDamaged
from tuning_operator.ports import StoredReport
from tuning_operator.search import report_rows, tables
from tuning_operator.search.attributes import TOLD_AFTER, Unreadable, active_time, seconds, trial_attributes
from tuning_operator.search.database import Database
from tuning_operator.search.lineage import lineage_of
from tuning_operator.search.naming import named_value
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.space import Space
from tuning_operator.search.storage import MirroredStorage
from tuning_operator.search.study_record import check_directions, read_record
from tuning_operator.search.warm_start import WARM_START, warm_trials

_END_STATES = {
    TrialState.COMPLETE: EndState.COMPLETE,
    TrialState.PRUNED: EndState.PRUNED,
    TrialState.FAIL: EndState.FAILED,
}


class StudyHistory:
    """The trials of one study. Loads them when it is made: call that off the event loop.

    Raises
    ------
    StorageDamaged
        The trials are not as this project writes them.
    """

    def __init__(self, database: Database, key: StudyKey, study_id: int) -> None:
        self.key = key
        self._database = database
        self._storage = MirroredStorage(database)
        with _readable(key):
            self._load(study_id)

    def _load(self, study_id: int) -> None:
        self._storage.load(study_id)
        self._record = read_record(self.key, study_id, self._storage.get_study_system_attrs(study_id))
        check_directions(self._record, self._storage.get_study_directions(study_id))
        self._space = Space(self._record.parameters)
        self._open: dict[int, TrialProgress] = {}
        """Open trials by number, in its order."""
        self._size: int | None = None
        """How many trials the search can have, enqueued ones included; None: endlessly many."""
        self._waits = False
        """Whether the search had nothing to propose since a trial ended last."""
        self._infeasible = ""
        """Why constraints leave no further trial, as a sentence; empty: they do not."""
        finished = []
        for trial in check_trials(self.key, self._frozen(), len(self._record.objectives)):
            if trial.state.is_finished():
                finished.append(self._finished(trial))
            else:
                self._open[trial.number] = self._progress(trial)
        self._tally = Tally(self._record.objectives, self._record.metric_constraints)
        self._tally.add_all(finished)
        self._warm = warm_trials(
            self._storage.get_study_system_attrs(study_id).get(WARM_START), self._space, len(self._record.objectives)
        )
        self._active = active_time(self._storage.get_study_user_attrs(study_id))
        with self._database.reading() as connection:
            self._restore_progress(connection)

    @property
    def reports_uid(self) -> str:
        """Under which uid our own tables have the trials' reports."""
        return self._record.reports_uid

    def history(self) -> History:
        """Return the trials; costs no more than the number of open ones."""
        tally = self._tally
        started_at = _seconds(self._frozen()[0]) if self._frozen() else None
        total = tally.ended + len(self._open)
        exhausted = self._size is not None and total >= self._size
        return History(
            total=total,
            open=tuple(trial.view() for trial in self._open.values()),
            exhausted=exhausted,
            infeasible=self._infeasible if exhausted else "",
            waits=self._waits,
            warm_start=self._warm.report,
            started_at=started_at,
            active=ActiveTime(since=started_at) if self._active is None else self._active,
            **tally.sums(),
        )

    def finished(self, number: int) -> FinishedTrial | None:
        """Return a finished trial, None for an open or unknown one."""
        trials = self._frozen()
        if not 0 <= number < len(trials) or not trials[number].state.is_finished():
            return None
        return self._finished(trials[number])

    def trials(self, after: int, limit: int) -> Sequence[OpenTrial | FinishedTrial]:
        """Return at most `limit` trials with numbers above `after`, in the order of their numbers."""
        known = itertools.islice(self._frozen(), max(0, after + 1), max(0, after + 1 + limit))
        found = ((trial, self._open.get(trial.number)) for trial in known)
        return [self._finished(trial) if progress is None else progress.view() for trial, progress in found]

    def reports(self, number: int) -> Sequence[StoredReport]:
        """Return a trial's reports by attempt, run and step; reads the database, so call it off the loop."""
        columns = tables.reports.c
        query = (
            select(columns.attempt, columns.run, columns.step, columns["values"], columns.time)
            .where(columns.study_uid == self.reports_uid, columns.trial == number)
            .order_by(columns.attempt, columns.run, columns.step)
        )
        with self._database.reading() as connection:
            return [
                StoredReport(attempt, step, _values(text), time, run)
                for attempt, run, step, text, time in connection.execute(query)
            ]

    def _frozen(self) -> list[FrozenTrial]:
        """Return the trials in memory by number; not to be changed."""
        return self._storage._studies[self._record.study_id].trials

    def _progress(self, trial: FrozenTrial) -> TrialProgress:
        attrs = trial_attributes(trial.user_attrs)
        return TrialProgress(
            number=trial.number,
            trial_id=trial._trial_id,
            objectives=self._record.objectives,
            parameters=self._space.typed(trial.params),
            seed=attrs.seed,
            asked_at=_seconds(trial),
            attempt=attrs.attempt,
            earlier=attrs.earlier,
            rungs=attrs.rungs,
            lineage=lineage_of(trial),
            constraints=self._record.metric_constraints,
            runs=self._record.runs,
            named=self._named(trial),
        )

    def _named(self, trial: FrozenTrial) -> dict[str, ParameterValue]:
        """Return the parameters that a trial's code has named."""
        named = self._space.undeclared(trial.params)
        return {name: named_value(trial.distributions[name], value) for name, value in named.items()}

    def _finished(self, trial: FrozenTrial) -> FinishedTrial:
        assert trial.datetime_complete is not None
        attrs = trial_attributes(trial.user_attrs)
        values = trial.values or []
        further = {of.metric: value for of, value in zip(self._record.objectives[1:], values[1:], strict=False)}
        return FinishedTrial(
            number=trial.number,
            state=_END_STATES[trial.state],
            parameters={**self._space.typed(trial.params), **self._named(trial)},
            value=values[0] if values else None,
            further={**attrs.metrics, **further},
            reason=attrs.reason,
            message=attrs.message,
            attempt=attrs.attempt,
            ended_at=trial.datetime_complete.timestamp(),
            running_seconds=attrs.running_seconds,
            lineage=lineage_of(trial),
            run_values=attrs.run_values,
        )

    def _restore_progress(self, connection: Connection) -> None:
        """Give the open trials what they reported, attempt by attempt, and what was decided."""
        stored: dict[int, _Received] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        for number, attempt, run, report, received_at in self._open_reports(connection):
            stored[number][attempt][run].append((report, received_at))
        newest_completion = self._newest_completion()
        for number, progress in self._open.items():
            value_received_at = _restore_reports(progress, stored[number])
            progress.keep_pod_time(trial_attributes(self._frozen()[number].user_attrs).pod_time)
            # What was decided then is not known of each value. The last one is decided on again, which gives the same
            # answer while nothing else is known; when a trial was complete after it, it had been decided on before.
            del progress.undecided[: None if value_received_at < newest_completion else -1]
        for number, attempt, kind, end, time in self._open_events(connection):
            progress, ended = self._open[number], report_rows.run_that_ended(kind)
            if kind == report_rows.PRUNE_DECIDED and attempt >= progress.earlier.first:
                progress.accept_prune_decision(time)
            elif ended is not None and attempt == progress.attempt:
                progress.accept_end(end, time, run=_checked_run(progress, ended))
                # The same goes for what is decided when one of several runs ends.
                for undecided in (progress.undecided, progress.undecided_runs):
                    del undecided[: None if time < newest_completion else -1]

    def _newest_completion(self) -> float:
        """Return when the last trial that is complete was told, in seconds since 1970."""
        times = (trial.datetime_complete for trial in self._frozen() if trial.state is TrialState.COMPLETE)
        return max((time.timestamp() for time in times if time is not None), default=-math.inf)

    def _open_reports(self, connection: Connection) -> Iterable[tuple[int, int, int, Report, float]]:
        columns = tables.reports.c
        where_and_when = (columns.trial, columns.attempt, columns.run, columns.step, columns.received_at)
        query = select(*where_and_when, columns["values"])
        for numbers in _chunks(self._open):
            of_open = query.where(columns.study_uid == self.reports_uid, columns.trial.in_(numbers))
            for number, attempt, run, step, received_at, text in connection.execute(of_open.order_by(columns.step)):
                yield number, attempt, run, Report(step, _values(text)), _time(received_at)

    def _open_events(self, connection: Connection) -> Iterable[tuple[int, int, str, TrialEnd, float]]:
        columns = tables.trial_events.c
        query = select(columns.trial, columns.attempt, columns.kind, columns.state, columns.message, columns.time)
        for numbers in _chunks(self._open):
            of_open = query.where(columns.study_uid == self.reports_uid, columns.trial.in_(numbers))
            for number, attempt, kind, state, message, time in connection.execute(of_open.order_by(columns.time)):
                end = TrialEnd(FinalState(state) if state else FinalState.PRUNED, message)
                yield number, attempt, kind, end, _time(time)


_Received = dict[int, dict[int, list[tuple[Report, float]]]]
"""A trial's reports and when each came, by attempt and run."""


def _restore_reports(progress: TrialProgress, stored: _Received) -> float:
    """Give an open trial what it reported, attempt by attempt; return when the last value of its objective came."""
    value_received_at, newest = -math.inf, progress.attempt
    for attempt in sorted({*stored, newest}):
        if attempt < progress.earlier.first:
            continue
        progress.start(attempt, progress.earlier)
        for run, received in sorted(stored.get(attempt, {}).items()):
            times = [time for _, time in received]
            new = progress.sift((report for report, _ in received), run=_checked_run(progress, run))
            progress.accept(new, min(times), max(times), run=run)
            of_values = (time for report, time in received if progress.objectives[0].metric in report.values)
            value_received_at = max([value_received_at, *of_values])
    return value_received_at


def _checked_run(progress: TrialProgress, run: int) -> int:
    if not 0 <= run < len(progress.runs):
        raise LookupError(f"trial {progress.number} has no run {run}")
    return run


def check_trials(key: StudyKey, trials: list[FrozenTrial], objectives: int, first: int = 0) -> list[FrozenTrial]:
    """Return a study's trials from `first` on, when they are what this project wrote of so many objectives.

    Raises
    ------
    StorageDamaged
        Somebody else has written one, or what this project needs of it; the sentence names it.
    """
    total = first + len(trials)
    for number, trial in enumerate(trials, first):
        problem = _problem_of(trial, number, objectives, total)
        if problem:
            raise StorageDamaged(
                f"somebody else wrote a trial {trial.number} into the study {key} in the storage ({problem}); mend or "
                "delete it there, or start a new study"
            )
    return trials


def _problem_of(trial: FrozenTrial, number: int, objectives: int, total: int) -> str:
    """Return what of a trial is not as this project writes it; people can write anything into Optuna's tables."""
    if trial.number != number:
        return f"it should be trial {number}"
    if trial.state is TrialState.WAITING or trial.datetime_start is None:
        return "it has not been started"
    if trial.state.is_finished() and trial.datetime_complete is None:
        return "it ended at no time"
    values = trial.values or []
    is_right_count = len(values) == objectives or (not values and trial.state is not TrialState.COMPLETE)
    if not is_right_count or not all(map(math.isfinite, values)):
        return f"its values are {values}"
    try:
        told_after = trial_attributes(trial.user_attrs).told_after
        lineage_of(trial)
    except Unreadable as problem:
        return str(problem)
    if told_after > total:  # no trial would ever learn of it, and a strategy would wait for ever
        return f"`{TOLD_AFTER}` is {told_after}, and there are {total} trials"
    return ""


_ODD = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What comes of records that are not as they should be."""


@contextmanager
def _readable(key: StudyKey) -> Iterator[None]:
    """Let whatever is odd in a study's records be this study's problem, in words for people."""
    try:
        yield
    except _ODD as error:
        raise StorageDamaged(
            f"the storage's records of the study {key} are not as this version writes them: "
            f"{' '.join(str(error).split()) or type(error).__name__}; mend them there, restore a backup, or start a "
            "new study"
        ) from error


def _seconds(trial: FrozenTrial) -> float:
    assert trial.datetime_start is not None
    return trial.datetime_start.timestamp()


def _time(stored: float) -> float:
    return seconds({"time": stored}, "time")


def _values(text: str) -> dict[str, float]:
    return {name: number_from_json(value, name) for name, value in json.loads(text).items()}


def _chunks(numbers: Iterable[int], size: int = 500) -> Iterable[list[int]]:
    """Split numbers, for databases limit the length of a statement."""
    iterator = iter(numbers)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
