"""How many durable reports a second one operator's endpoint takes, beside aiohttp that answers and stores nothing.

The clients are a process of their own with many keep-alive connections; each sends the next report when the last one
was answered. On two cores they and the database take a good part of what the endpoint could use, so that the bare
server's figure says what this machine can show at all.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from benchmarks import http_load
from benchmarks.figures import Figure, missing
from benchmarks.histories import STUDY, MissingServer, empty_database, make_history, spec
from benchmarks.http_load import Latency, Load
from benchmarks.program import parser, run, sized
from benchmarks.report_servers import bare_server, report_endpoint
from tuning_operator.interpreter import prepare_interpreter
from tuning_operator.search.repositories import StudyRepositories

BUDGET = 4_000.0
"""Reports per second."""


async def measure_load(url: str, connections: int, seconds: float) -> tuple[Latency, Latency, float]:
    """Return what the bare server and the endpoint answered, and the endpoint's processor time per report in ms."""
    prepare_interpreter()
    repositories = StudyRepositories(url)
    try:
        repository = await repositories.open(STUDY, spec(connections + 100))
        running = await make_history(repository, 100, connections)
        async with bare_server(running) as (port, targets):
            bare = await http_load.send(Load(port, targets, connections, seconds))
        async with report_endpoint(repositories, running) as (port, targets):
            before = time.process_time()
            load = Load(port, targets, connections, seconds)
            durable = await http_load.send(load)
            cpu = time.process_time() - before
        return bare, durable, 1_000 * cpu / (durable.per_second * (load.seconds + load.warm_up))
    finally:
        await repositories.aclose()


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure on both databases."""
    connections, seconds = sized(options, "connections", 200, 50), sized(options, "seconds", 5.0, 2.0)
    figures = []
    for kind in options.databases:
        name = f"durable reports, {kind}"
        try:
            with empty_database(kind) as url:
                bare, durable, cpu = asyncio.run(measure_load(url, connections, seconds))
        except MissingServer as reason:
            figures.append(missing(name, "/s", str(reason), BUDGET))
            continue
        note = f"{connections} connections, one report a request; {cpu:.2f} ms of processor time a report"
        figures.append(
            Figure(name, "/s", BUDGET, durable.per_second, bare.per_second, "aiohttp with a constant answer",
                   at_least=True, note=note)
        )  # fmt: skip
    return figures


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--connections", type=int, help="keep-alive connections, a trial each (200)")
    made.add_argument("--seconds", type=float, help="how long each server is measured (5)")
    made.add_argument("--databases", nargs="+", choices=("SQLite", "PostgreSQL"), default=("SQLite", "PostgreSQL"))
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
