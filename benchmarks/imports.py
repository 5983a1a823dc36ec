"""How long things take to start: the command line's help, the operator's modules, a history's mirror in memory.

Processes are started several times and the median counts; the reference is Python doing nothing. A history is loaded
beside Optuna's own storage, which reads the same rows; the budget of 1 s for 10,000 trials is scaled to the number.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import optuna

from benchmarks.figures import Figure
from benchmarks.histories import STEPS, STUDY, empty_database, spec, store_history
from benchmarks.program import parser, run, say, sized
from tuning_operator.search.repositories import StudyRepositories

HELP_BUDGET, OPERATOR_BUDGET = 0.3, 3.0
"""Seconds."""
LOAD_BUDGET, LOAD_TRIALS = 1.0, 10_000
"""Seconds for that many trials."""

TUNING = str(Path(sys.executable).with_name("tuning"))


def start_seconds(commands: Sequence[Sequence[str]], repeats: int) -> list[float]:
    """Return the median time of each command, in seconds; they take turns, so that the machine's moods hit all."""
    taken: list[list[float]] = [[] for _ in commands]
    for repeat in range(repeats + 1):
        for command, times in zip(commands, taken, strict=True):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if repeat:  # the first one reads from the disk
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def measure_starts(repeats: int) -> list[Figure]:
    """Measure processes."""
    python = (sys.executable, "-c", "pass")
    module = (sys.executable, "-c", "import tuning_operator.handlers.main")
    nothing, help_, operator = start_seconds((python, (TUNING, "--help"), module), repeats)
    reference, note = "python -c pass", f"median of {repeats} starts"
    return [
        Figure("start of `tuning --help`", "s", HELP_BUDGET, help_, nothing, reference, note=note),
        Figure("start of the operator: its imports", "s", OPERATOR_BUDGET, operator, nothing, reference, note=note),
    ]


async def load_mirror(url: str, trials: int) -> float:
    """Return how long a study's opening takes, in seconds, with what a new process does first left out."""
    repositories = StudyRepositories(url)
    try:
        await repositories.list_studies()  # opens the database
        start = time.perf_counter()
        repository = await repositories.open(STUDY, spec(trials))
        taken = time.perf_counter() - start
        if repository.history().complete != trials:
            raise SystemExit(f"{repository.history().complete} of {trials} trials were loaded")
        return taken
    finally:
        await repositories.aclose()


def load_with_optuna(url: str) -> float:
    """Return how long Optuna's storage takes for the same, in seconds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(url)
    start = time.perf_counter()
    for study in storage.get_all_studies():
        storage.get_all_trials(study._study_id, deepcopy=False)
    taken = time.perf_counter() - start
    storage.engine.dispose()
    return taken


def measure_load(trials: int) -> Figure:
    """Measure how a history is loaded."""
    with empty_database("SQLite") as url:
        say(f"making {trials} trials")
        asyncio.run(store_history(url, trials))
        # Once before and once after the reference, against caches that are warm for the second.
        first, other = asyncio.run(load_mirror(url, trials)), load_with_optuna(url)
        taken = (first + asyncio.run(load_mirror(url, trials))) / 2
    budget = LOAD_BUDGET * trials / LOAD_TRIALS
    note = f"{STEPS} values a trial, SQLite; the budget is {LOAD_BUDGET:g} s for {LOAD_TRIALS:,} trials"
    return Figure(f"load of {trials:,} trials", "s", budget, taken, other, "Optuna's RDBStorage", note=note)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure starts, then loading."""
    starts = measure_starts(sized(options, "repeats", 7, 3))
    return [*starts, measure_load(sized(options, "trials", 2_000, 500))]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--repeats", type=int, help="starts of each process (7)")
    made.add_argument("--trials", type=int, help="trials of the loaded history (2,000)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
