"""Runs all programs one after the other and prints one table: `python -m benchmarks [--only NAME] [--quick]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, missing
from benchmarks.program import say
from benchmarks.table import markdown, show

PROGRAMS = (
    "imports",
    "memory",
    "local_run",
    "pruning",
    "search_overhead",
    "report_latency",
    "durable_reports",
    "first_job",
    "next_job",
    "api_requests",
    "many_studies",
    "sustained",
    "takeover",
)
"""Modules of this package."""

LONGEST_SECONDS = 600.0
"""After which a program is ended; it is named in the table then."""

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PROGRAMS, metavar="NAME", help=", ".join(PROGRAMS))
    parser.add_argument("--quick", action="store_true", help="smaller sizes, some two minutes: a look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to a file")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in options.only or PROGRAMS:
        say(f"--- {name}")
        figures += run_program(name, options.quick)
    if options.markdown:
        print(markdown(figures))
    else:
        show(figures)
    if options.json is not None:
        options.json.write_text(json.dumps([figure.to_document() for figure in figures], indent=1))


def run_program(name: str, quick: bool) -> list[Figure]:
    """Run a program in a process of its own, so that none inherits another's memory; return what it found."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", f"--json={file}", *(["--quick"] if quick else [])]
        # Its table is part of the one that is printed at the end.
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            status = process.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            return [missing(name, "", f"it did not end within {LONGEST_SECONDS:.0f} s")]
        finally:
            _end(process)
        if status or not file.exists():
            return [missing(name, "", f"the program ended with status {status}; its error stands above")]
        return [Figure.from_document(document) for document in json.loads(file.read_text())]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started: by a signal first, so that it removes what it made."""
    for number, seconds in ((signal.SIGINT, 20.0), (signal.SIGKILL, None)):
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.send_signal(number)
                process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
