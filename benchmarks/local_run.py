"""What a local study costs beyond its trials: `tuning run` beside the same processes started two at a time by a loop.

Every trial imports the SDK, sleeps and reports once. Half of the bare processes run before the study and half after
it, so that a machine that gets busier or calmer hits both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.figures import Figure
from benchmarks.imports import TUNING
from benchmarks.program import parser, run, say, sized
from tests.support.guard import guard, kill_group

BUDGET = 5.0
"""Percent more than the bare processes."""
PARALLELISM = 2
DEADLINE_SECONDS = 300.0
"""After which a study is given up."""

SCRIPT = """
import time
print(time.time(), flush=True)
import tuning_trainer as tuning
trial = tuning.current_trial()
time.sleep({seconds})
trial.report({{"score": 0.5}}, step=1)
"""


def study(trials: int, script: str) -> dict[str, Any]:
    """Return a study whose trials run the script."""
    container = {"name": "trainer", "image": "trainer", "command": ["python", "-c", script]}
    return {
        "apiVersion": "tuning-operator.io/v1alpha1",
        "kind": "TuningStudy",
        "metadata": {"name": "local-run"},
        "spec": {
            "objectives": [{"metric": "score", "direction": "Maximize"}],
            "parameters": [{"name": "x", "type": "Float", "low": 0, "high": 1}],
            "search": {"sampler": {"name": "Random"}, "seed": 1},
            "maxTrials": trials,
            "parallelism": PARALLELISM,
            "trial": {"template": {"spec": {"containers": [container]}}},
        },
    }


def run_bare(trials: int, script: str, folder: Path) -> float:
    """Run the script so many times, some at once; return the seconds that it took."""

    def one(number: int) -> None:
        with (folder / f"{number}.log").open("wb") as log:
            subprocess.run([sys.executable, "-c", script], stdout=log, stderr=log, cwd=folder, check=True)

    start = time.perf_counter()
    with ThreadPoolExecutor(PARALLELISM) as pool:
        list(pool.map(one, range(trials)))
    return time.perf_counter() - start


def run_study(trials: int, script: str, folder: Path) -> tuple[float, float]:
    """Run the study with `tuning run`; return the seconds that it took, and those before its first trial."""
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study(trials, script)))
    start, started_at = time.perf_counter(), time.time()
    command = [TUNING, "run", str(file), "--new", "--output=json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)
    guard.watch(process.pid)
    try:
        status = process.wait(DEADLINE_SECONDS)
        taken = time.perf_counter() - start
    finally:
        kill_group(process.pid)
        process.wait()
        guard.forget(process.pid)
    if status:
        raise SystemExit(f"`tuning run` ended with status {status}; its error stands above")
    logs = folder.glob(".tuning/logs/*/*-1.log")
    return taken, min(float(log.read_text().partition("\n")[0]) for log in logs) - started_at


def measure(options: argparse.Namespace) -> list[Figure]:
    """Run both."""
    trials = sized(options, "trials", 100, 10)
    script = SCRIPT.format(seconds=options.seconds)
    with TemporaryDirectory() as name:
        folder = Path(name)
        half = trials // 2
        say(f"{trials} trials of {options.seconds:g} s")
        bare = run_bare(half, script, folder)
        tuned, first = run_study(trials, script, folder)
        bare += run_bare(trials - half, script, folder)
    took = f"took {tuned:.1f} s, of it {first:.1f} s before the first; bare {bare:.1f} s"
    note = f"{trials} trials of {options.seconds:g} s {took}"
    more = 100 * (tuned / bare - 1)
    return [
        Figure("local study over the bare processes", "%", BUDGET, more, 0.0, f"{PARALLELISM} at a time", note=note)
    ]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--trials", type=int, help="trials (100)")
    made.add_argument("--seconds", type=float, default=1.0, help="how long a trial sleeps (1)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
