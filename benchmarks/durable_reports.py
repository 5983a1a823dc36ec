"""How many durable reports a second one operator's endpoint takes, beside aiohttp that answers and stores nothing.

The clients are a process of their own with many keep-alive connections; each sends the next request when the last one
was answered: with one report, and with as many as the SDK sends together when a trial reports faster than it is
answered. On two cores they and the database take a good part of what the endpoint could use, so that the bare server's
figure says what this machine can show at all.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass

from benchmarks import http_load
from benchmarks.figures import Figure, missing
from benchmarks.histories import STUDY, MissingServer, empty_database, make_history, spec
from benchmarks.http_load import Load
from benchmarks.program import parser, run, sized
from benchmarks.report_servers import bare_server, report_endpoint
from tuning_operator.interpreter import prepare_interpreter
from tuning_operator.search.repositories import StudyRepositories

BUDGET = 4_000.0
"""Reports per second."""
STEPS_APART = 10_000
"""Between the first steps of two loads; a trial may report ten times as many."""


BUNDLES = (1, 5)
"""Reports in a request."""


@dataclass(frozen=True)
class Measured:
    """What one kind of request came to."""

    bundle: int
    """Reports in a request."""
    per_second: float
    """Reports."""
    bare_per_second: float
    """Reports that the bare server would have got."""
    cpu: float
    """Processor time of the endpoint's process per report, in ms."""


async def measure_load(url: str, connections: int, seconds: float) -> list[Measured]:
    """Measure the bare server and the endpoint with each kind of request."""
    prepare_interpreter()
    repositories = StudyRepositories(url)
    try:
        repository = await repositories.open(STUDY, spec(connections + 100))
        running = await make_history(repository, 100, connections)
        found, first_step = [], 1
        for bundle in BUNDLES:
            async with bare_server(running) as (port, targets):
                bare = await http_load.send(Load(port, targets, connections, seconds, bundle=bundle))
            async with report_endpoint(repositories, running) as (port, targets):
                before = time.process_time()
                load = Load(port, targets, connections, seconds, first_step=first_step, bundle=bundle)
                durable = await http_load.send(load)
                cpu = time.process_time() - before
            per_second = bundle * durable.per_second
            reports = per_second * (load.seconds + load.warm_up)
            found.append(Measured(bundle, per_second, bundle * bare.per_second, 1_000 * cpu / reports))
            first_step += STEPS_APART
        return found
    finally:
        await repositories.aclose()


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure on both databases."""
    connections, seconds = sized(options, "connections", 200, 50), sized(options, "seconds", 5.0, 2.0)
    figures = []
    for kind in options.databases:
        try:
            with empty_database(kind) as url:
                found = asyncio.run(measure_load(url, connections, seconds))
        except MissingServer as reason:
            figures.append(missing(f"durable reports, {kind}", "/s", str(reason), BUDGET))
            continue
        figures += [_figure(kind, connections, measured) for measured in found]
    return figures


def _figure(kind: str, connections: int, found: Measured) -> Figure:
    name = f"durable reports, {kind}" + ("" if found.bundle == 1 else f", {found.bundle} a request")
    note = f"{connections} connections; {found.cpu:.2f} ms of processor time a report"
    compared = "aiohttp with a constant answer"
    return Figure(name, "/s", BUDGET, found.per_second, found.bare_per_second, compared, at_least=True, note=note)


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--connections", type=int, help="keep-alive connections, a trial each (200)")
    made.add_argument("--seconds", type=float, help="how long each server is measured (5)")
    made.add_argument("--databases", nargs="+", choices=("SQLite", "PostgreSQL"), default=("SQLite", "PostgreSQL"))
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
