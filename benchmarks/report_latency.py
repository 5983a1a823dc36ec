"""How long a trial waits for the answer to a report: received, durable, decided, answered.

Three servers answer the same requests in the same run: the report endpoint over the real storage, aiohttp with a
constant answer (what HTTP alone costs), and Optuna's own `report` and `should_prune` on the same rows of the same
database (what a trial would wait for without the operator). The clients are a process of their own.

    python benchmarks/report_latency.py        # SQLite, half a minute
    python benchmarks/report_latency.py --storage postgresql://… --finished 10000 --running 1000 --rate 1000

Prints a table for people and, on the last lines, one JSON object a figure; times are in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import optuna
from aiohttp import web

from tuning_contract import Report, ReportBatch, ReportReply
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import EndState, StudyKey
from tuning_operator.ports import Outcome, TrialRepository
from tuning_operator.reports.credentials import report_token
from tuning_operator.reports.report_endpoint import ROUTE, report_url
from tuning_operator.reports.server import ReportServer
from tuning_operator.search.repositories import StudyRepositories

STUDY = StudyKey("benchmarks", "report-latency", "11111111-2222-3333-4444-555555555555")
STEPS = 20
"""Values of a finished trial."""
BUDGET_P50, BUDGET_P99 = 5.0, 30.0
"""Milliseconds, at 10,000 finished and 1,000 running trials, 1,000 reports/s and commits under 5 ms."""
WARM_UP = 1.0
"""Seconds of load before measuring."""


@dataclass(frozen=True)
class Latency:
    """Answers' times of one server, in milliseconds."""

    p50: float
    p99: float
    count: int
    per_second: float


def latency(seconds: Sequence[float], elapsed: float) -> Latency:
    """Summarize what was measured within `elapsed` seconds."""
    ordered = sorted(seconds)
    p50, p99 = (1_000 * ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99))
    return Latency(p50, p99, len(ordered), len(ordered) / elapsed)


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
    numbers = [trial.number for trial in await repository.ask(finished + running)]

    async def train(number: int) -> Outcome:
        reports = tuple(Report(step, {"accuracy": chance.random()}) for step in range(1, STEPS + 1))
        await repository.report(number, 1, ReportBatch(reports))
        return Outcome(number, EndState.COMPLETE, reports[-1].values["accuracy"], "Completed", "", 1.0)

    for start in range(0, finished, 500):
        outcomes = await asyncio.gather(*(train(number) for number in numbers[start : min(start + 500, finished)]))
        await repository.tell(outcomes)
    return numbers[finished:]


async def load(urls: Sequence[tuple[str, str]], rate: float, seconds: float, first_step: int) -> Latency:
    """Let a process of its own report to (URL, token)s in turn, so many times a second."""
    job = json.dumps({"urls": urls, "rate": rate, "seconds": seconds, "first_step": first_step})
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--client", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(job.encode())
    if process.returncode:
        raise SystemExit("the clients failed; their error stands above")
    return Latency(**json.loads(output))


async def client(job: dict[str, Any]) -> Latency:
    """Send one report after the other from each trial, whatever the answers take (open loop)."""
    measured: list[float] = []
    begin = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(number: int) -> None:
            url, token = job["urls"][number % len(job["urls"])]
            step = job["first_step"] + number // len(job["urls"])
            # A trial better than all others is never pruned and goes on reporting.
            body = ReportBatch((Report(step, {"accuracy": 2.0}),)).to_json()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            start = time.perf_counter()
            async with session.post(url, data=body, headers=headers) as response:
                answer = await response.read()
            if response.status != 200 or ReportReply.from_json(answer).stop:
                raise SystemExit(f"the server answered {response.status}: {answer[:200]!r}")
            if start - begin >= WARM_UP:
                measured.append(time.perf_counter() - start)

        async with asyncio.TaskGroup() as sending:
            for number in range(int(job["rate"] * (job["seconds"] + WARM_UP))):
                await asyncio.sleep(begin + number / job["rate"] - time.perf_counter())
                sending.create_task(send(number))
    return latency(measured, time.perf_counter() - begin - WARM_UP)


async def measure_bare_http(running: Sequence[int], rate: float, seconds: float) -> Latency:
    """Measure aiohttp with a constant answer."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=ReportReply().to_json(), content_type="application/json")

    application = web.Application()
    application.router.add_post(ROUTE, answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        return await load([(report_url(base, STUDY.uid, n, 1), "none") for n in running], rate, seconds, 1)
    finally:
        await runner.cleanup()


async def measure_endpoint(
    repositories: StudyRepositories, running: Sequence[int], rate: float, seconds: float
) -> Latency:
    """Measure the report endpoint."""
    key = await repositories.secret_key()
    server = ReportServer(repositories, key, wake=lambda _uid: None)
    base = f"http://127.0.0.1:{await server.start()}"
    try:
        urls = [(report_url(base, STUDY.uid, n, 1), report_token(key, STUDY.uid, n, 1)) for n in running]
        return await load(urls, rate, seconds, 1)
    finally:
        await server.stop()


def measure_optuna(url: str, running: Sequence[int], seconds: float) -> Latency:
    """Measure Optuna's `report` and `should_prune` on the same study, one caller alone."""
    storage = optuna.storages.RDBStorage(url)
    names = [name for name in optuna.get_all_study_names(storage) if STUDY.name in name]
    study = optuna.load_study(study_name=names[0], storage=storage, pruner=optuna.pruners.MedianPruner())
    numbers = set(running)
    trials = [optuna.trial.Trial(study, t._trial_id) for t in study.get_trials(deepcopy=False) if t.number in numbers]
    trials[0].should_prune()  # loads the finished trials once
    measured: list[float] = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or len(measured) < 5:
        trial = trials[len(measured) % len(trials)]
        start = time.perf_counter()
        trial.report(2.0, step=10_000 + len(measured))
        trial.should_prune()
        measured.append(time.perf_counter() - start)
    return latency(measured, time.perf_counter() - begin)


async def run(url: str, finished: int, running: int, rate: float, seconds: float) -> dict[str, Latency]:
    """Measure all three on one history."""
    async with AsyncExitStack() as closing:
        repositories = StudyRepositories(url)
        closing.push_async_callback(repositories.aclose)
        repository = await repositories.open(STUDY, spec(finished + running))
        begin = time.perf_counter()
        open_trials = await make_history(repository, finished, running)
        print(f"{finished} finished and {running} running trials stored in {time.perf_counter() - begin:.1f} s")
        gc.freeze()
        figures = {"bare HTTP server": await measure_bare_http(open_trials, rate, seconds)}
        figures["report endpoint"] = await measure_endpoint(repositories, open_trials, rate, seconds)
    figures["Optuna RDBStorage, one caller"] = await asyncio.to_thread(measure_optuna, url, open_trials, seconds)
    return figures


def show(figures: dict[str, Latency]) -> None:
    """Print the figures for people, then for programs."""
    print(f"{'':32}{'p50 ms':>10}{'p99 ms':>10}{'answers':>10}{'per s':>10}")
    for name, figure in figures.items():
        print(f"{name:32}{figure.p50:10.2f}{figure.p99:10.2f}{figure.count:10}{figure.per_second:10.0f}")
    endpoint = figures["report endpoint"]
    for reference in (name for name in figures if name != "report endpoint"):
        other = figures[reference]
        for part, budget, measured, compared in (
            ("p50", BUDGET_P50, endpoint.p50, other.p50),
            ("p99", BUDGET_P99, endpoint.p99, other.p99),
        ):
            row = {"name": f"report to durable decision, {part}; reference: {reference}", "budget": budget}
            print(json.dumps({**row, "measured": round(measured, 3), "reference": round(compared, 3), "unit": "ms"}))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", help="URL of an empty database; default: a SQLite file that is removed again")
    parser.add_argument("--finished", type=int, default=1_000, help="finished trials of 20 values")
    parser.add_argument("--running", type=int, default=100, help="trials that report")
    parser.add_argument("--rate", type=float, default=200.0, help="reports per second")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each server is measured")
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        print(json.dumps(asyncio.run(client(json.load(sys.stdin))).__dict__))
        return
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        url = options.storage or f"sqlite:///{Path(folder) / 'tuning.db'}"
        show(asyncio.run(run(url, options.finished, options.running, options.rate, options.seconds)))


if __name__ == "__main__":
    main()
