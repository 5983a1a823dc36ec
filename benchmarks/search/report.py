"""Makes tables and pictures of results: `python -m benchmarks.search.report results.jsonl … [--docs docs]`.

With `--docs` the tables replace what stands in that folder's pages between `<!-- measured: NAME -->` and
`<!-- end -->`, and the pictures are drawn into its folder `images`; without it the tables are printed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.search import tables
from benchmarks.search.cells import read
from benchmarks.search.methods import EVALUATIONS, GP_EVALUATIONS
from benchmarks.search.plots import draw_all
from benchmarks.search.side_by_side import side_by_side
from benchmarks.search.summary import Summary

_PAGES = ("search.md", "search-beside-optuna.md")


def main() -> None:
    """Read the command line, make the tables and the pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="FILE", help="what python -m benchmarks.search wrote")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="the folder with the pages to put the tables into")
    options = parser.parse_args()
    summary = Summary(read(options.results))
    made = all_tables(summary)
    if options.docs is None:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in made.items()))
        return
    for name in _PAGES:
        page = options.docs / name
        page.write_text(with_tables(page.read_text(), made))
    draw_all(summary, options.docs / "images")


def all_tables(summary: Summary) -> dict[str, str]:
    """Return the tables by the names that they have in the pages."""
    return {
        "regrets": tables.regrets(summary, 8, EVALUATIONS),
        "regrets of few": tables.regrets(summary, 8, GP_EVALUATIONS),
        "trials to target": tables.trials_to_target(summary, 8),
        "ranks": tables.ranks(summary, EVALUATIONS),
        "beside Optuna": tables.beside_optuna(summary),
        "pruners": tables.pruners(summary, 8),
        "with the same GPU time": tables.with_the_same_gpu_time(summary, 8),
        "populations": tables.populations(summary, 8),
        **side_by_side(summary),
    }


def with_tables(page: str, made: Mapping[str, str]) -> str:
    """Return a page with its tables replaced.

    Raises
    ------
    KeyError
        The page names a table that there is not.
    """

    def replaced(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{made[match[2]]}\n\n{match[3]}"

    return re.sub(r"(<!-- measured: (.+?) -->)\n.*?(<!-- end -->)", replaced, page, flags=re.DOTALL)


if __name__ == "__main__":
    main()
