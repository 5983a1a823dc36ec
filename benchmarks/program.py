"""What every program's command line has."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.figures import Figure
from benchmarks.table import show

Size = TypeVar("Size", int, float)
Measure = Callable[[argparse.Namespace], Sequence[Figure]]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all programs have; a program adds its sizes."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="smaller sizes: a look, not a measurement")
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to a file")
    return made


def sized(options: argparse.Namespace, name: str, usual: Size, quick: Size) -> Size:
    """Return a size: what the command line says, else what `--quick` or the usual run takes."""
    given: Size | None = getattr(options, name)
    return given if given is not None else quick if options.quick else usual


def run(measure: Measure, options: argparse.Namespace) -> None:
    """Measure, print the table, and write the file."""
    figures = measure(options)
    show(figures)
    if options.json is not None:
        options.json.write_text(json.dumps([figure.to_document() for figure in figures], indent=1))


def say(sentence: str) -> None:
    """Tell whoever watches what is going on."""
    print(sentence, file=sys.stderr, flush=True)
