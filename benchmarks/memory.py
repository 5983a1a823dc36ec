"""How much memory an operator's process holds: finished trials of 20 values, and others that run.

The process has what an operator has of a study, but no API server: its modules, the history, the running trials' Jobs
and connections. The reference is a process with Optuna's storage after a look at the same trials.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys

from benchmarks.figures import Figure
from benchmarks.histories import STEPS, empty_database, store_history
from benchmarks.loaded_process import Memory
from benchmarks.program import parser, run, say, sized

BUDGET = 250.0
"""MB of the operator without a process of its own for the sampler."""


def held(kind: str, url: str) -> Memory:
    """Return what a process of the kind holds."""
    command = [sys.executable, "-m", "benchmarks.loaded_process", kind, url]
    return Memory(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def measure(options: argparse.Namespace) -> list[Figure]:
    """Make a history and let both processes load it."""
    finished, running = sized(options, "finished", 10_000, 500), sized(options, "running", 1_000, 50)
    with empty_database("SQLite") as url:
        say(f"making {finished} finished and {running} running trials")
        asyncio.run(store_history(url, finished, running))
        operator, optuna = held("operator", url), held("optuna", url)
    note = (
        f"{finished:,} finished trials of {STEPS} values, {running:,} running with a connection each; "
        f"{operator.imports:.0f} MB after the imports, {operator.most:.0f} MB at most, while loading"
    )
    return [
        Figure("memory of the operator", "MB", BUDGET, operator.loaded, optuna.loaded, "Optuna's RDBStorage", note=note)
    ]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--finished", type=int, help="finished trials (10,000)")
    made.add_argument("--running", type=int, help="trials that report (1,000)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
