"""What a search costs: asking TPE and GP beside many finished trials, the wait of a freed slot, and reports meanwhile.

Processor time of an ask, beside Optuna's own sampler on the same trials in memory, in turns. Then a study with trials
at once that end one after the other: from the tell of an end until the next trial is stored, beside what an ask takes
that nothing was prepared for. Last, reports over HTTP while TPE is asked all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from benchmarks import http_load
from benchmarks.figures import Figure, quantile
from benchmarks.histories import STUDY, empty_database
from benchmarks.http_load import Load
from benchmarks.mixed_space import PARAMETERS
from benchmarks.program import parser, run, say, sized
from benchmarks.report_servers import report_endpoint
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.trials import EndState
from tuning_operator.interpreter import prepare_interpreter
from tuning_operator.ports import Outcome
from tuning_operator.search.asking import Asking
from tuning_operator.search.repositories import StudyRepositories
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.space import Space
from tuning_operator.search.suggester import Past

AT_MOST = 1.1
"""Times Optuna's processor time."""
SLOT_BUDGET, REPORT_BUDGET = 50.0, 100.0
"""Milliseconds: p50 of a slot's wait, p99 of a report while TPE is asked at 10,000 trials."""
RUNNING = 100
"""Trials at once."""
_GP_RUNNING = 10
"""The same with GP."""
RATE = 200
"""Reports a second."""


def study_of(sampler: str, trials: int) -> StudySpec:
    """Return a study with ten parameters."""
    return StudySpec.model_validate(
        {
            "objectives": [{"metric": "accuracy", "direction": "Maximize"}],
            "parameters": PARAMETERS,
            "search": {"sampler": {"name": sampler}, "seed": 1},
            "maxTrials": trials,
            "parallelism": RUNNING,
            "trial": {"template": {"spec": {"containers": [{"name": "trainer", "image": "trainer"}]}}},
        }
    )


def history(distributions: dict[str, BaseDistribution], finished: int, running: int) -> list[FrozenTrial]:
    """Return complete trials and some that run, with parameters at random."""
    chance = random.Random(1)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(finished + running):
        study.ask(distributions)
    trials = study.get_trials(deepcopy=False)
    for trial in trials[:finished]:
        trial.state, trial.value, trial.datetime_complete = TrialState.COMPLETE, chance.random(), trial.datetime_start
    return trials


@dataclass(frozen=True)
class Ask:
    """An ask of a sampler that is measured."""

    sampler: str
    optunas: Callable[[], BaseSampler]
    finished: int
    running: int
    times: int
    """How often."""


def processor_ms(asked: Ask) -> tuple[float, float]:
    """Return the median processor time of an ask: of ours, and of Optuna's."""
    spec = study_of(asked.sampler, 10**6)
    distributions = Space(spec.parameters).distributions
    trials = history(distributions, asked.finished, asked.running)
    ours = Asking(Past("study", [StudyDirection.MAXIMIZE], 1, spec, trials, {}))
    theirs = optuna.create_study(direction="maximize", sampler=asked.optunas())
    theirs.add_trials(trials)
    both: tuple[Callable[[], object], ...] = (lambda: ours.suggest([], 1, 0.0), lambda: theirs.ask(distributions))
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(asked.times + 1):
        for each, ask in zip(taken, both, strict=True):
            start = time.process_time()
            ask()
            if number:  # the first one has everything to look at
                each.append(1_000 * (time.process_time() - start))
    return statistics.median(taken[0]), statistics.median(taken[1])


def ask_figure(asked: Ask) -> Figure:
    """Compare an ask with Optuna's."""
    say(f"ask {asked.sampler} beside {asked.finished:,} trials")
    ours, theirs = processor_ms(asked)
    note = f"{asked.running} running trials; median of {asked.times} asks; the budget is Optuna's time and a tenth"
    name = f"processor time of an ask with {asked.sampler}, {asked.finished:,} finished trials"
    return Figure(name, "ms", AT_MOST * theirs, ours, theirs, f"Optuna's {asked.sampler}, in memory", note=note)


def tpe_asks(finished: Sequence[int], times: int) -> list[Ask]:
    """Return asks of TPE."""
    return [Ask("TPE", lambda: TPESampler(seed=1), count, RUNNING, times) for count in finished]


def gp_asks(finished: Sequence[int], times: int) -> list[Ask]:
    """Return asks of GP, in one thread, as in the search process."""
    import torch  # it takes seconds

    torch.set_num_threads(1)
    return [Ask("GP", lambda: GPSampler(seed=1), count, _GP_RUNNING, times) for count in finished]


async def filled(repositories: StudyRepositories, finished: int) -> StudyRepository:
    """Return a study with a past at random that goes on with TPE."""
    study = await repositories.open(STUDY, study_of("Random", 10**6))
    chance = random.Random(1)
    count = finished + RUNNING
    while count > 0:
        count -= len(await study.ask(count))
    await study.tell([ended(trial.number, chance.random()) for trial in study.history().open[:finished]])
    await study.apply(study_of("TPE", 10**6))
    return study


def ended(number: int, value: float) -> Outcome:
    """Return a complete trial's end."""
    return Outcome(number, EndState.COMPLETE, value, "Complete", "", 1.0)


async def slot_waits(url: str, finished: int, ends: int, pause: float) -> tuple[list[float], list[float]]:
    """Return how long slots waited for their trials' parameters, and asks for which nothing was prepared, in ms."""
    prepare_interpreter()
    repositories, chance = StudyRepositories(url), random.Random(2)
    try:
        study = await filled(repositories, finished)
        unprepared: list[float] = []
        waits: list[float] = []
        for number in range(ends):
            await asyncio.sleep(chance.uniform(0.0, 2 * pause))
            if number % 10 == 0:
                study._sampling.begin_anew()
            start = time.perf_counter()
            await study.tell([ended(study.history().open[0].number, chance.random())])
            await study.ask(1)
            (waits if number % 10 else unprepared).append(1_000 * (time.perf_counter() - start))
        return waits, unprepared
    finally:
        await repositories.aclose()


def slot_figures(finished: int, ends: int, pause: float) -> list[Figure]:
    """Measure the wait of a freed slot."""
    say(f"free slots beside {finished:,} trials")
    with empty_database("SQLite") as url:
        waits, unprepared = asyncio.run(slot_waits(url, finished, ends, pause))
    note = f"{finished:,} finished trials, {RUNNING} at once, SQLite; {ends} ends, one in {1_000 * pause:.0f} ms"
    compared = "an ask for which nothing was prepared"
    return [
        Figure(
            f"a trial's end told → next trial stored, TPE, p{100 * part:.0f}",
            "ms",
            budget,
            quantile(waits, part),
            quantile(unprepared, part),
            compared,
            note=note,
        )
        for part, budget in ((0.5, SLOT_BUDGET), (0.99, None))
    ]


async def reports_beside_asks(url: str, finished: int, seconds: float) -> tuple[http_load.Latency, http_load.Latency]:
    """Return the answers' times while nothing is asked, and while TPE is asked back to back."""
    prepare_interpreter()
    repositories = StudyRepositories(url)
    try:
        study = await filled(repositories, finished)
        running = [trial.number for trial in study.history().open]
        async with report_endpoint(repositories, running) as (port, targets):
            load = Load(port, targets, RUNNING, seconds, RATE)
            alone = await http_load.send(load)
            asking = asyncio.create_task(_ask_for_ever(study))
            beside = await http_load.send(Load(port, targets, RUNNING, seconds, RATE, first_step=10_000))
            asking.cancel()
            await asyncio.wait([asking])
        return alone, beside
    finally:
        await repositories.aclose()


async def _ask_for_ever(study: StudyRepository) -> None:
    while True:
        await study.ask(10)


def report_figure(finished: int, seconds: float) -> Figure:
    """Measure reports while TPE is asked."""
    say(f"reports while TPE is asked beside {finished:,} trials")
    with empty_database("SQLite") as url:
        alone, beside = asyncio.run(reports_beside_asks(url, finished, seconds))
    note = f"{finished:,} finished and {RUNNING} running trials, {RATE} reports/s, SQLite"
    name = "report → durable decision while TPE is asked back to back, p99"
    return Figure(name, "ms", REPORT_BUDGET, beside.p99, alone.p99, "the same while nothing is asked", note=note)


def measure(options: argparse.Namespace) -> Sequence[Figure]:
    """Measure all of it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    few, many = sized(options, "few", 1_000, 200), sized(options, "many", 10_000, 1_000)
    few_of_gp, gp_times = sized(options, "few_gp", 200, 50), sized(options, "gp_asks", 10, 3)
    asks, seconds = sized(options, "asks", 30, 10), sized(options, "seconds", 5.0, 2.0)
    with warnings.catch_warnings(action="ignore"):
        return [
            *map(ask_figure, [*tpe_asks((few, many), asks), *gp_asks((few_of_gp, few), gp_times)]),
            *slot_figures(few, 10 * asks, pause=0.1),
            report_figure(many, seconds),
        ]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--few", type=int, help="finished trials of the smaller study (1,000)")
    made.add_argument("--many", type=int, help="finished trials of the larger study (10,000)")
    made.add_argument("--few-gp", type=int, help="finished trials of the smaller study of GP (200)")
    made.add_argument("--gp-asks", type=int, help="asks of GP that are measured (10)")
    made.add_argument("--asks", type=int, help="asks that are measured, and ten times as many ends (30)")
    made.add_argument("--seconds", type=float, help="how long reports are measured (5)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
