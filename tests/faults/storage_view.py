"""What the storage has, read with plain SQL: nothing of the operator's own code takes part in its proof."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

ReportKey = tuple[str, int, int, int]
"""Study's uid, trial, attempt, step."""

_TRIALS = """
SELECT s.study_name, t.number, t.state, a.value_json, p.param_value
FROM trials t
JOIN studies s ON s.study_id = t.study_id
LEFT JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'tuning:attempt'
LEFT JOIN trial_params p ON p.trial_id = t.trial_id AND p.param_name = 'x'
ORDER BY s.study_id, t.number
"""
_REPORTS = 'SELECT study_uid, trial, attempt, step, "values" FROM tuning_reports'


class StorageAway(Exception):
    """The database does not answer now."""


@dataclass(frozen=True)
class StoredTrial:
    """A trial in Optuna's tables."""

    study_uid: str
    number: int
    state: str
    """RUNNING, COMPLETE, PRUNED or FAIL."""
    attempt: int
    x: float | None
    """The study's only parameter."""

    @property
    def is_open(self) -> bool:
        """Whether it has not been told."""
        return self.state == "RUNNING"


@dataclass(frozen=True)
class StorageView:
    """Everything at one moment."""

    trials: Sequence[StoredTrial] = ()
    """By study and number."""
    reports: Mapping[ReportKey, Mapping[str, float]] = field(default_factory=dict)

    def of_study(self, uid: str) -> list[StoredTrial]:
        """Return a study's trials by number."""
        return [trial for trial in self.trials if trial.study_uid == uid]


class StorageReader:
    """Reads a database that the operator writes."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    def read(self) -> StorageView:
        """Return everything, as it was at one moment. Raises StorageAway."""
        try:
            with self._engine.connect() as connection:
                return _read(connection)
        except DBAPIError as error:
            raise StorageAway(str(error)) from error


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        return create_engine(f"sqlite:///file:{parsed.database}?mode=ro&uri=true", poolclass=NullPool)
    driver = parsed.set(drivername="postgresql+psycopg")
    return create_engine(driver, isolation_level="REPEATABLE READ", poolclass=NullPool)


def _read(connection: Connection) -> StorageView:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")  # the driver's own begin comes with the first write only
    trials = [
        StoredTrial(name.rpartition("/")[2], number, state, int(json.loads(attempt or "0")), x)
        for name, number, state, attempt, x in connection.execute(text(_TRIALS))
    ]
    reports = {
        (uid, trial, attempt, step): json.loads(values)
        for uid, trial, attempt, step, values in connection.execute(text(_REPORTS))
    }
    return StorageView(trials, reports)
