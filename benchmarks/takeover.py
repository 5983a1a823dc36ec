"""How long tuning stands still when the active operator is killed, and when all operators are replaced.

Two operators on PostgreSQL behind one address, as a Service is: each new connection goes to one of them. Running trials
report all the time as the SDK does, each report until it is acknowledged. The reference of a replacement is the same
with a standby that answers 503 and Retry-After in place of passing reports on. After each, the acknowledged reports
that the database lacks are counted: a single one ends the program.
"""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cluster import CRD, MISSING
from benchmarks.figures import Figure, missing, quantile
from benchmarks.histories import MissingServer, empty_database
from benchmarks.program import parser, run, say, sized
from tests.chart.helm import Helm, find_helm
from tests.control_plane.replicas import Replicas, replicas
from tests.control_plane.reporters import Reporters
from tests.support.control_plane import ControlPlane
from tests.support.fixtures import wait_for_default_account
from tests.support.process_node import ProcessNode

NAME = "killed operator → the standby acts"
BUDGET = 20.0
"""Seconds, at 10,000 finished trials."""
RUNNING = 10
"""Trials that report."""


@dataclass(frozen=True)
class Sizes:
    """How much history and load there is."""

    finished: int
    rate: int
    seconds: float
    """How long reports flow before and after what happens."""


@contextmanager
def release(control_plane: ControlPlane, sizes: Sizes, forwarding: bool = True) -> Iterator[Replicas]:
    """Have two operators with a study, the first of them active, in a namespace and a database of their own."""
    with ExitStack() as stack:
        url = stack.enter_context(empty_database("PostgreSQL"))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        namespace = f"benchmark-{secrets.token_hex(4)}"
        control_plane.kubectl("create", "namespace", namespace)
        wait_for_default_account(control_plane, namespace)
        helm = Helm(find_helm(), folder)
        made = stack.enter_context(replicas(control_plane, helm, namespace, folder, url))
        made.forwarding = forwarding
        made.make_study(sizes.finished, RUNNING)
        made.wait_active(made.add())
        made.add()
        yield made


def measure_killed(control_plane: ControlPlane, sizes: Sizes) -> list[Figure]:
    """Kill the active operator under load."""
    with release(control_plane, sizes) as made:
        first, second = made.operators
        with made.reporters(sizes.rate) as reporters:
            time.sleep(sizes.seconds)
            killed_at = time.monotonic()
            first.kill()
            made.leave_service(first)
            made.wait_active(second)
            seconds = time.monotonic() - killed_at
            time.sleep(sizes.seconds)
        check(made, reporters)
    load = f"{sizes.finished} finished trials, {sizes.rate} reports/s"
    lease = (15.0, "the Lease's duration")
    return [
        Figure(NAME, "s", BUDGET, seconds, *lease, note=load),
        Figure("killed operator: longest gap between acknowledgements", "s", None, reporters.longest_gap(), *lease),
    ]


def measure_replaced(control_plane: ControlPlane, sizes: Sizes) -> list[Figure]:
    """Replace both operators under load, with and without a standby that passes reports on."""
    passing, refusing = (replace_all(control_plane, sizes, forwarding) for forwarding in (True, False))
    compared = "a standby that answers 503 and Retry-After"
    load = f"{sizes.rate} reports/s, {len(passing.acknowledged)} acknowledged, none lost"
    return [
        Figure(
            "all operators replaced: longest gap between acknowledgements",
            "s",
            None,
            passing.longest_gap(),
            refusing.longest_gap(),
            compared,
            note=load,
        ),
        *(
            Figure(
                f"all operators replaced: report made → acknowledged, {part}",
                "s",
                None,
                quantile(passing.waits(), share),
                quantile(refusing.waits(), share),
                compared,
            )
            for part, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        ),
    ]


def replace_all(control_plane: ControlPlane, sizes: Sizes, forwarding: bool) -> Reporters:
    """Replace both operators, one after the other."""
    with release(control_plane, sizes, forwarding) as made, made.reporters(sizes.rate) as reporters:
        time.sleep(sizes.seconds)
        for old in tuple(made.operators):
            say(f"an operator took {made.replace(old):.1f} s to leave")
        time.sleep(sizes.seconds)
        reporters.stop()
        check(made, reporters)
    return reporters


def check(made: Replicas, reporters: Reporters) -> None:
    """End the program if an acknowledged report is not in the database."""
    if lost := made.lost(reporters.acknowledged):
        raise SystemExit(f"{len(lost)} acknowledged reports are not in the database, such as {min(lost)}")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure, or say what is missing."""
    sizes = Sizes(
        finished=sized(options, "finished", 10_000, 1_000),
        rate=sized(options, "rate", 100, 50),
        seconds=sized(options, "seconds", 5.0, 2.0),
    )
    try:
        with ControlPlane() as control_plane:
            control_plane.install_definitions(CRD)
            with ProcessNode(control_plane):
                return [*measure_killed(control_plane, sizes), *measure_replaced(control_plane, sizes)]
    except (*MISSING, MissingServer) as reason:
        return [missing(NAME, "s", str(reason), BUDGET)]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--finished", type=int, help="finished trials of 20 values (10,000)")
    made.add_argument("--rate", type=int, help="reports per second (100)")
    made.add_argument("--seconds", type=float, help="load before and after (5)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
