"""Breaks everything in random order for a while, and exits with 1 if an invariant was violated."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.chaos.run import Findings, Run
from tests.chart.helm import MissingHelm
from tests.faults.databases import SQLiteFile, StageDatabase, own_postgresql
from tests.faults.faults import FAULTS
from tests.faults.stage import Stage, faulty_cluster, stage
from tests.support.binaries import MissingBinaries
from tests.support.postgresql import MissingServer
from tuning_operator.fault_points import Defect

LEAST = 5
"""How often each kind comes in a run of 30 minutes."""


def main() -> int:
    """Read the command line, run, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long things break")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="gives the same choices again")
    parser.add_argument("--defect", choices=list(Defect), help="a deliberate one that the run must find")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    defect = f", with the defect {options.defect}" if options.defect else ""
    say(f"seed {options.seed}, {options.seconds:g} s{defect}; logs are in {folder}, and stay if something is found")
    try:
        findings = play(folder, options.seconds, options.seed, options.defect or "")
    except (MissingBinaries, MissingHelm) as reason:
        say(str(reason))
        return 2
    print_table(findings)
    if not findings.violations:
        shutil.rmtree(folder)
        return 0
    say(f"logs, acknowledgements and what was there last stay in {folder}")
    return 1


def play(folder: Path, seconds: float, seed: int, defect: str) -> Findings:
    """Set everything up, and run. Raises MissingBinaries and MissingHelm."""
    with (
        faulty_cluster() as cluster,
        database_in(folder) as database,
        stage(*cluster, folder, database, hurry=True, defect=defect) as on,
    ):
        run = Run(on, seed, say)
        try:
            run.play(seconds)
        finally:
            keep(on)
        return run.findings


@contextmanager
def database_in(folder: Path) -> Iterator[StageDatabase]:
    """A PostgreSQL server that can be killed, where there is one; else a file that can be locked."""
    try:
        with own_postgresql() as database:
            yield database
    except MissingServer as reason:
        say(f"the history is kept in SQLite: {reason}")
        yield SQLiteFile(folder / "tuning.db")


def keep(on: Stage) -> None:
    """Leave in the folder what explains a violation."""
    now = on.look()
    (on.folder / "cluster.json").write_text(json.dumps(asdict(now.cluster), indent=1))
    (on.folder / "trials.txt").write_text("\n".join(map(str, now.storage.trials)))
    for log in on.control_plane.files.folder.glob("*.log"):
        shutil.copy(log, on.folder)


def print_table(findings: Findings) -> None:
    """Print what was broken how often, and what came of it."""
    width = max(map(len, FAULTS))
    print(f"\n{'fault':<{width}}  played  nothing to break")
    for name in FAULTS:
        print(f"{name:<{width}}  {findings.played[name]:6d}  {findings.missed[name] or '':>16}")
    rare = sum(findings.played[name] < LEAST for name in FAULTS)
    print(f"\n{findings.played.total()} faults of {len(FAULTS)} kinds; {rare} kinds came less than {LEAST} times")
    print(f"{findings.studies} studies, {findings.trials} trials, {findings.reports} acknowledged reports")
    print_requests(findings)
    print(f"{findings.restarts} starts of operators, {findings.looks} checks of all that must always hold")
    print(f"{len(findings.violations)} violations")
    for sentence in findings.violations:
        print(f"  {sentence}")


def print_requests(findings: Findings) -> None:
    """Print what the operators asked the API server for, and what they may do and never did."""
    print("\nrequests of the operators that the API server answered, and how many of them with an error")
    for right, count in findings.requests.most_common():
        print(f"{count:8d}  {findings.refused[right] or '':>6}  {right}")
    print(f"rights that were never used: {', '.join(sorted(map(str, findings.unused))) or 'none'}\n")


def say(sentence: str) -> None:
    """Tell whoever watches what is going on."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
