"""What trials have reported, as our own tables have it: to be read, and to go on from."""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select

from tuning_contract import FinalState, Report, TrialEnd
from tuning_contract.reports import number_from_json
from tuning_operator.ports import StoredReport
from tuning_operator.search import report_rows, tables
from tuning_operator.search.attributes import seconds
from tuning_operator.search.open_trial import TrialProgress

_Received = dict[int, dict[int, list[tuple[Report, float]]]]
"""A trial's reports and when each came, by attempt and run."""


class StoredReports:
    """The reports of one study's trials, and how their runs ended."""

    def __init__(self, reports_uid: str) -> None:
        self._reports_uid = reports_uid

    def of_trial(self, connection: Connection, number: int) -> Sequence[StoredReport]:
        """Return a trial's reports by attempt, run and step."""
        columns = tables.reports.c
        query = (
            select(columns.attempt, columns.run, columns.step, columns["values"], columns.time)
            .where(columns.study_uid == self._reports_uid, columns.trial == number)
            .order_by(columns.attempt, columns.run, columns.step)
        )
        return [
            StoredReport(attempt, step, _values(text), time, run)
            for attempt, run, step, text, time in connection.execute(query)
        ]

    def restore(self, connection: Connection, trials: Mapping[int, TrialProgress], newest_completion: float) -> None:
        """Give open trials what they reported, attempt by attempt, and what was decided.

        `newest_completion` is when the last trial that is complete was told, in seconds since 1970.
        """
        stored: dict[int, _Received] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        for number, attempt, run, report, received_at in self._reports(connection, trials):
            stored[number][attempt][run].append((report, received_at))
        for number, progress in trials.items():
            value_received_at = _restore_reports(progress, stored[number])
            # What was decided then is not known of each value. The last one is decided on again, which gives the same
            # answer while nothing else is known; when a trial was complete after it, it had been decided on before.
            del progress.undecided[: None if value_received_at < newest_completion else -1]
        for number, attempt, kind, end, time in self._events(connection, trials):
            progress, ended = trials[number], report_rows.run_that_ended(kind)
            if kind == report_rows.PRUNE_DECIDED and attempt >= progress.earlier.first:
                progress.accept_prune_decision(time)
            elif ended is not None and attempt == progress.attempt:
                progress.accept_end(end, time, run=_checked_run(progress, ended))
                # The same goes for what is decided when one of several runs ends.
                for undecided in (progress.undecided, progress.undecided_runs):
                    del undecided[: None if time < newest_completion else -1]

    def _reports(self, connection: Connection, numbers: Iterable[int]) -> Iterable[tuple[int, int, int, Report, float]]:
        columns = tables.reports.c
        where_and_when = (columns.trial, columns.attempt, columns.run, columns.step, columns.received_at)
        query = select(*where_and_when, columns["values"])
        for some in _chunks(numbers):
            of_some = query.where(columns.study_uid == self._reports_uid, columns.trial.in_(some))
            for number, attempt, run, step, received_at, text in connection.execute(of_some.order_by(columns.step)):
                yield number, attempt, run, Report(step, _values(text)), _time(received_at)

    def _events(
        self, connection: Connection, numbers: Iterable[int]
    ) -> Iterable[tuple[int, int, str, TrialEnd, float]]:
        columns = tables.trial_events.c
        query = select(columns.trial, columns.attempt, columns.kind, columns.state, columns.message, columns.time)
        for some in _chunks(numbers):
            of_some = query.where(columns.study_uid == self._reports_uid, columns.trial.in_(some))
            for number, attempt, kind, state, message, time in connection.execute(of_some.order_by(columns.time)):
                end = TrialEnd(FinalState(state) if state else FinalState.PRUNED, message)
                yield number, attempt, kind, end, _time(time)


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


def _time(stored: float) -> float:
    return seconds({"time": stored}, "time")


def _values(text: str) -> dict[str, float]:
    return {name: number_from_json(value, name) for name, value in json.loads(text).items()}


def _chunks(numbers: Iterable[int], size: int = 500) -> Iterable[list[int]]:
    """Split numbers, for databases limit the length of a statement."""
    iterator = iter(numbers)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
