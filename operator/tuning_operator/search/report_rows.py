"""What a batch of reports writes into the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from optuna.storages._rdb.models import TrialIntermediateValueModel
from sqlalchemy import Connection, bindparam, delete

from tuning_contract import Report, TrialEnd
from tuning_contract.reports import number_to_json, to_json
from tuning_operator.search import tables
from tuning_operator.search.bulk_insert import BulkInsert, Row
from tuning_operator.search.trial_rows import set_user_attrs

END = "End"
"""Kind of the event with an attempt's last message, or that of its first run; those of others have the run behind it.
"""
PRUNE_DECIDED = "PruneDecided"
"""Kind of the event with the decision to prune a trial."""

_REPORTS = BulkInsert(tables.reports, "study_uid", "trial", "attempt", "run", "step", "values", "time", "received_at")
_EVENTS = BulkInsert(tables.trial_events, "study_uid", "trial", "attempt", "kind", "state", "message", "time")
_VALUES = BulkInsert(
    tables.trial_intermediate_values, "trial_id", "step", "intermediate_value", "intermediate_value_type"
)


class AttemptKey(NamedTuple):
    """Which attempt rows are of: their first columns."""

    study_uid: str
    trial: int
    attempt: int


@dataclass
class ReportRows:
    """Rows of any number of trials, written with at most five statements."""

    stale_reports: list[dict[str, str | int]] = field(default_factory=list)
    """Reports of an attempt whose container began anew, which go before new ones come."""
    reports: list[Row] = field(default_factory=list)
    stale_values: list[dict[str, int]] = field(default_factory=list)
    """Values of earlier attempts, which go before new ones come."""
    values: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    attrs: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """User attributes of trials, by their ids; these replace what is there."""

    @classmethod
    def merged(cls, parts: Iterable[ReportRows]) -> ReportRows:
        """Return the rows of several batches together."""
        all_rows = cls()
        for part in parts:
            all_rows.stale_reports += part.stale_reports
            all_rows.reports += part.reports
            all_rows.stale_values += part.stale_values
            all_rows.values += part.values
            all_rows.events += part.events
            all_rows.attrs |= part.attrs
        return all_rows

    def forget_reports(self, key: AttemptKey, run: int, first: int) -> None:
        """Remove the reports of a run of an attempt, of a step and of later ones."""
        self.stale_reports.append({"uid": key.study_uid, "of": key.trial, "in": key.attempt, "by": run, "from": first})

    def add_reports(self, key: AttemptKey, run: int, reports: Sequence[Report], now: float) -> None:
        """Add reports of a run of an attempt, received now."""
        for report in reports:
            values = {name: number_to_json(value) for name, value in report.values.items()}
            time = now if report.time is None else report.time
            self.reports.append((*key, run, report.step, to_json(values), time, now))

    def add_values(self, trial_id: int, values: Mapping[int, float], stale_steps: Iterable[int]) -> None:
        """Add a trial's objective by step, and the steps whose earlier values go."""
        self.stale_values += [{"of": trial_id, "at": step} for step in stale_steps]
        for step, value in values.items():
            stored, kind = TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
            self.values.append((trial_id, step, stored, kind.name))

    def add_end(self, key: AttemptKey, run: int, end: TrialEnd, now: float) -> None:
        """Add the last message of a run of an attempt."""
        self.events.append((*key, f"{END}:{run}" if run else END, end.state.value, end.message, now))

    def add_prune_decision(self, key: AttemptKey, now: float) -> None:
        """Add the decision to prune a trial."""
        self.events.append((*key, PRUNE_DECIDED, "", "", now))

    def add_attrs(self, trial_id: int, attrs: Mapping[str, Any]) -> None:
        """Add user attributes of a trial."""
        self.attrs[trial_id] = attrs

    def write(self, connection: Connection) -> None:
        """Write all rows; those that are there already and are not stale stay as they are, but for attributes."""
        if self.stale_reports:
            of = tables.reports.c
            of_attempt = (of.study_uid == bindparam("uid"), of.trial == bindparam("of"), of.attempt == bindparam("in"))
            stale = delete(tables.reports).where(*of_attempt, of.run == bindparam("by"), of.step >= bindparam("from"))
            connection.execute(stale, self.stale_reports)
        values = tables.trial_intermediate_values
        if self.stale_values:
            stale = delete(values).where(values.c.trial_id == bindparam("of"), values.c.step == bindparam("at"))
            connection.execute(stale, self.stale_values)
        _REPORTS.write(connection, self.reports)
        _VALUES.write(connection, self.values)
        _EVENTS.write(connection, self.events)
        set_user_attrs(connection, self.attrs)


def run_that_ended(kind: str) -> int | None:
    """Return which run an event's kind says the end of; None: it is about something else."""
    end, _, run = kind.partition(":")
    return None if end != END else int(run or 0)
