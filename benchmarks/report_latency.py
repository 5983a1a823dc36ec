"""How long a trial waits for the answer to a report: received, durable, decided, answered.

Two loads, each on SQLite and on PostgreSQL, with the same history and the clients in a process of their own:

- a steady one, which the budget is about, against aiohttp with a constant answer (what HTTP alone costs);
- some callers that report again as soon as they are answered, against as many callers of Optuna's own `report` and
  `should_prune` on the same rows of the same database (what trials would wait for without the operator).

The budget: 5 ms (p50) and 30 ms (p99) at 10,000 finished and 1,000 running trials, 1,000 reports/s and commits under
5 ms: `python -m benchmarks.report_latency --finished 10000 --running 1000 --rate 1000`.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import optuna

from benchmarks import http_load
from benchmarks.figures import Figure, missing, quantile
from benchmarks.histories import STUDY, MissingServer, commit_seconds, empty_database, make_history, spec
from benchmarks.http_load import Latency, Load
from benchmarks.program import parser, run, say, sized
from benchmarks.report_servers import bare_server, report_endpoint
from tuning_operator.interpreter import prepare_interpreter
from tuning_operator.search.repositories import StudyRepositories

BUDGETS = {"p50": (0.5, 5.0), "p99": (0.99, 30.0)}
"""Quantile and milliseconds."""
CALLERS = 10
"""Of the load without a timetable."""


@dataclass(frozen=True)
class Sizes:
    """How much history and load there is."""

    finished: int
    running: int
    rate: int
    seconds: float


@dataclass(frozen=True)
class Latencies:
    """What was measured on one database."""

    bare: Latency
    steady: Latency
    eager: Latency
    optuna: Latency


async def measure_servers(url: str, sizes: Sizes) -> tuple[list[int], Latency, Latency, Latency]:
    """Make the history and measure the HTTP servers; return which trials run, too."""
    prepare_interpreter()
    repositories = StudyRepositories(url)
    try:
        repository = await repositories.open(STUDY, spec(sizes.finished + sizes.running))
        begin = time.perf_counter()
        running = await make_history(repository, sizes.finished, sizes.running)
        say(f"{sizes.finished} finished and {sizes.running} running trials in {time.perf_counter() - begin:.1f} s")
        await repositories.close(STUDY.uid)  # and loaded again, as after an operator's start
        await repositories.open(STUDY, spec(sizes.finished + sizes.running))
        async with bare_server(running) as (port, targets):
            bare = await http_load.send(Load(port, targets, sizes.running, sizes.seconds, sizes.rate))
        async with report_endpoint(repositories, running) as (port, targets):
            steady = await http_load.send(Load(port, targets, sizes.running, sizes.seconds, sizes.rate))
            eager = await http_load.send(
                Load(port, targets, min(CALLERS, sizes.running), sizes.seconds, first_step=1_000)
            )
        return running, bare, steady, eager
    finally:
        await repositories.aclose()


def measure_optuna(url: str, running: Sequence[int], seconds: float) -> Latency:
    """Measure Optuna's `report` and `should_prune`; the callers share what it has loaded, which trials' pods do not."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    patient = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    storage = optuna.storages.RDBStorage(url.replace("postgresql://", "postgresql+psycopg://"), engine_kwargs=patient)
    name = next(name for name in optuna.get_all_study_names(storage) if STUDY.name in name)
    study = optuna.load_study(study_name=name, storage=storage, pruner=optuna.pruners.MedianPruner())
    numbers = set(running)
    trials = [optuna.trial.Trial(study, t._trial_id) for t in study.get_trials(deepcopy=False) if t.number in numbers]
    trials[0].should_prune()  # loads the finished trials
    measured: list[float] = []
    first = time.perf_counter() + min(http_load.LONGEST_WARM_UP, seconds)
    callers = [
        threading.Thread(target=_call_optuna, args=(trials[index::CALLERS], first, first + seconds, measured))
        for index in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    storage.engine.dispose()
    return http_load.summarize(measured, seconds)


def _call_optuna(trials: Sequence[optuna.trial.Trial], first: float, end: float, measured: list[float]) -> None:
    step = 100_000
    while (start := time.perf_counter()) < end:
        trial = trials[step % len(trials)]
        trial.report(2.0, step=step)
        trial.should_prune()
        step += 1
        if start >= first:
            measured.append(time.perf_counter() - start)


def measure_on(kind: str, sizes: Sizes) -> list[Figure]:
    """Measure everything on one kind of database."""
    name = f"report → durable decision, {kind}"
    try:
        with empty_database(kind) as url:
            commits = [1_000 * seconds for seconds in commit_seconds(url)]
            running, bare, steady, eager = asyncio.run(measure_servers(url, sizes))
            reference = measure_optuna(url, running, sizes.seconds)
    except MissingServer as reason:
        return [missing(f"{name}, {part}", "ms", str(reason), budget) for part, (_, budget) in BUDGETS.items()]
    found = Latencies(bare, steady, eager, reference)
    load = f"{sizes.finished} finished and {sizes.running} running trials, {sizes.rate} reports/s"
    figures = []
    for part, (quantile_, budget) in BUDGETS.items():
        note = f"{load}; an empty commit takes {quantile(commits, quantile_):.1f} ms"
        measured, compared = getattr(steady, part), "aiohttp with a constant answer, same load"
        figures.append(Figure(f"{name}, {part}", "ms", budget, measured, getattr(bare, part), compared, note=note))
    return figures + eager_figures(name, found)


def eager_figures(name: str, found: Latencies) -> list[Figure]:
    """Return the figures of the callers that do not wait."""
    note = f"{found.eager.per_second:.0f} answers/s; Optuna {found.optuna.per_second:.0f}/s"
    compared = f"Optuna's report and should_prune, {CALLERS} threads"
    return [
        Figure(
            f"{name}, {CALLERS} callers back to back, {part}",
            "ms",
            measured=getattr(found.eager, part),
            reference=getattr(found.optuna, part),
            compared_with=compared,
            note=note,
        )
        for part in BUDGETS
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure on both databases."""
    sizes = Sizes(
        finished=sized(options, "finished", 1_000, 200),
        running=sized(options, "running", 100, 50),
        rate=sized(options, "rate", 200, 200),
        seconds=sized(options, "seconds", 5.0, 2.0),
    )
    return [figure for kind in options.databases for figure in measure_on(kind, sizes)]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--finished", type=int, help="finished trials of 20 values (1,000)")
    made.add_argument("--running", type=int, help="trials that report (100)")
    made.add_argument("--rate", type=int, help="reports per second of the steady load (200)")
    made.add_argument("--seconds", type=float, help="how long each server is measured (5)")
    made.add_argument("--databases", nargs="+", choices=("SQLite", "PostgreSQL"), default=("SQLite", "PostgreSQL"))
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
