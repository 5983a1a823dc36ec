"""Computes studies and appends a line of JSON for each: `python -m benchmarks.search --jobs 16 --out results.jsonl`.

What the file has already is not computed again, so that a run can be broken off and repeated, and parts can come from
several machines: their files are given to `python -m benchmarks.search.report` together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.program import say
from benchmarks.search.cells import SIDES, Cell, all_cells, read
from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.methods import POPULATIONS, PRUNERS, SAMPLERS
from benchmarks.search.running import run_cells


def main() -> None:
    """Read the command line and compute."""
    options = _parser().parse_args()
    known = read([options.out, *options.known] if options.out.exists() else options.known)
    cells = [
        cell for cell in all_cells(range(*_bounds(options.seeds))) if cell not in known and _is_chosen(cell, options)
    ]
    say(f"{len(cells)} studies to compute, {len(known)} known")
    begun = time.monotonic()
    with options.out.open("a") as file:
        for count, result in enumerate(run_cells(cells, options.jobs, options.seconds), 1):
            file.write(result.to_line() + "\n")
            file.flush()
            if count % 200 == 0 or count == len(cells):
                say(f"{count} of {len(cells)} after {time.monotonic() - begun:.0f} s")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the lines go")
    parser.add_argument("--known", type=Path, nargs="*", default=[], metavar="FILE", help="other files with results")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side (1)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no study after so long")
    parser.add_argument("--seeds", default="20", help="how many, or from:to without the last (20)")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=[*SAMPLERS])
    pruners = ["-", *PRUNERS, *POPULATIONS]
    parser.add_argument("--pruners", nargs="+", choices=pruners, default=pruners, help="or strategies; -: without")
    parser.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=[*FUNCTIONS])
    parser.add_argument("--parallelism", nargs="+", type=int, default=[1, 8, 64])
    return parser


def _bounds(seeds: str) -> tuple[int, int]:
    first, colon, end = seeds.rpartition(":")
    return (int(first), int(end)) if colon else (0, int(end))


def _is_chosen(cell: Cell, options: argparse.Namespace) -> bool:
    chosen: dict[str, Callable[[Cell], object]] = {
        "sides": lambda cell: cell.side,
        "samplers": lambda cell: cell.sampler,
        "pruners": lambda cell: cell.pruner,
        "functions": lambda cell: cell.function,
        "parallelism": lambda cell: cell.parallelism,
    }
    return all(value(cell) in getattr(options, name) for name, value in chosen.items())


if __name__ == "__main__":
    main()
