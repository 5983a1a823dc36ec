"""What a batch of reports writes into the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete

from tuning_contract import Report, TrialEnd
from tuning_contract.reports import number_to_json
from tuning_operator.search import tables
from tuning_operator.search.trial_rows import intermediate_value_row

END = "End"
"""Kind of the event with an attempt's last message."""
PRUNE_DECIDED = "PruneDecided"
"""Kind of the event with the decision to prune a trial."""

RUN = 0
"""The run that reports belong to: each trial has one."""


@dataclass(frozen=True)
class AttemptKey:
    """Which attempt rows are of."""

    study_uid: str
    trial: int
    attempt: int

    def columns(self) -> dict[str, Any]:
        """Return the columns that name the attempt."""
        return {"study_uid": self.study_uid, "trial": self.trial, "attempt": self.attempt}


@dataclass
class ReportRows:
    """Rows of any number of trials, written with at most four statements."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    stale_values: list[dict[str, Any]] = field(default_factory=list)
    """Values of earlier attempts, which go before new ones come."""
    values: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def merged(cls, parts: Iterable[ReportRows]) -> ReportRows:
        """Return the rows of several batches together."""
        all_rows = cls()
        for part in parts:
            all_rows.reports += part.reports
            all_rows.stale_values += part.stale_values
            all_rows.values += part.values
            all_rows.events += part.events
        return all_rows

    def add_reports(self, key: AttemptKey, reports: Sequence[Report], now: float) -> None:
        """Add an attempt's reports, received now."""
        for report in reports:
            values = {name: number_to_json(value) for name, value in report.values.items()}
            row = {
                **key.columns(),
                "run": RUN,
                "step": report.step,
                "values": json.dumps(values, allow_nan=False),
                "time": now if report.time is None else report.time,
                "received_at": now,
            }
            self.reports.append(row)

    def add_values(self, trial_id: int, values: Mapping[int, float], stale_steps: Iterable[int]) -> None:
        """Add a trial's objective by step, and the steps whose earlier values go."""
        self.stale_values += [{"of": trial_id, "at": step} for step in stale_steps]
        self.values += [intermediate_value_row(trial_id, step, value) for step, value in values.items()]

    def add_end(self, key: AttemptKey, end: TrialEnd, now: float) -> None:
        """Add an attempt's last message."""
        self.events.append(
            {**key.columns(), "kind": END, "state": end.state.value, "message": end.message, "time": now}
        )

    def add_prune_decision(self, key: AttemptKey, now: float) -> None:
        """Add the decision to prune a trial."""
        self.events.append({**key.columns(), "kind": PRUNE_DECIDED, "state": "", "message": "", "time": now})

    def write(self, connection: Connection) -> None:
        """Write all rows; those that are there already stay as they are."""
        values = tables.trial_intermediate_values
        if self.stale_values:
            stale = delete(values).where(values.c.trial_id == bindparam("of"), values.c.step == bindparam("at"))
            connection.execute(stale, self.stale_values)
        for table, rows in (
            (tables.reports, self.reports),
            (values, self.values),
            (tables.trial_events, self.events),
        ):
            if rows:
                connection.execute(tables.insert_missing(connection.dialect.name, table), rows)
