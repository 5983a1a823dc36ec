"""Studies with a past: finished trials of some values each, and others that run."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.postgresql import MissingServer, server_url, temporary_database
from tuning_contract import Report, ReportBatch
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.ports import Outcome, TrialRepository
from tuning_operator.search.database import Database
from tuning_operator.search.repositories import StudyRepositories

STUDY = StudyKey("benchmarks", "history", "11111111-2222-3333-4444-555555555555")
STEPS = 20
"""Values of a finished trial."""

_AT_ONCE = 500


@contextmanager
def empty_database(kind: str) -> Iterator[str]:
    """Yield the URL of an empty database of the kind `SQLite` or `PostgreSQL`, which is removed again.

    Raises
    ------
    MissingServer
        There is no PostgreSQL here; the message says how to get one.
    """
    if kind == "PostgreSQL":
        with temporary_database(server_url()) as url:
            yield url
    else:
        with TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'tuning.db'}"


def spec(trials: int) -> StudySpec:
    """Return a study with a cheap sampler and the median pruner."""
    return StudySpec.model_validate(
        {
            "objectives": [{"metric": "accuracy", "direction": "Maximize"}],
            "parameters": [{"name": "learning_rate", "type": "Float", "low": 0.0, "high": 1.0}],
            "search": {"sampler": {"name": "Random"}, "pruner": {"name": "Median"}, "seed": 1},
            "maxTrials": trials,
            "trial": {"template": {"spec": {"containers": [{"name": "trainer", "image": "trainer"}]}}},
        }
    )


async def make_history(repository: TrialRepository, finished: int, running: int) -> list[int]:
    """Let trials finish and others start; return the numbers of those that run."""
    chance = random.Random(1)
    numbers: list[int] = []
    while len(numbers) < finished + running:
        numbers += [trial.number for trial in await repository.ask(finished + running - len(numbers))]

    async def train(number: int) -> None:
        reports = tuple(Report(step, {"accuracy": chance.random()}) for step in range(1, STEPS + 1))
        await repository.report(number, 1, ReportBatch(reports))

    for start in range(0, finished, _AT_ONCE):
        ending = set(numbers[start : min(start + _AT_ONCE, finished)])
        await asyncio.gather(*(train(number) for number in sorted(ending)))
        trained = [trial for trial in repository.history().open if trial.number in ending]
        # Complete also those that were to be pruned: all have the same number of values.
        await repository.tell(
            [
                Outcome(trial.number, EndState.COMPLETE, trial.value, "Completed", "", 1.0, after=trial.last_words)
                for trial in trained
            ]
        )
    return numbers[finished:]


async def store_history(url: str, finished: int, running: int = 0) -> None:
    """Make a history in a database, and close it."""
    repositories = StudyRepositories(url)
    try:
        repository = await repositories.open(STUDY, spec(finished + running))
        await make_history(repository, finished, running)
    finally:
        await repositories.aclose()


def commit_seconds(url: str, commits: int = 200) -> list[float]:
    """Return how long the smallest transactions take: what no durable answer can be faster than."""
    database, taken = Database(url), []
    try:
        with database.transaction() as connection:
            connection.exec_driver_sql("CREATE TABLE benchmark_commits (number INTEGER)")
        for number in range(commits):
            start = time.perf_counter()
            with database.transaction() as connection:
                connection.exec_driver_sql(f"INSERT INTO benchmark_commits VALUES ({number})")
            taken.append(time.perf_counter() - start)
    finally:
        database.close()
    return taken


__all__ = [
    "STEPS",
    "STUDY",
    "MissingServer",
    "commit_seconds",
    "empty_database",
    "make_history",
    "spec",
    "store_history",
]
