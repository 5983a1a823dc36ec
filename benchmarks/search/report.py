"""Makes tables and pictures of results: `python -m benchmarks.search.report results.jsonl … [--page docs/search.md]`.

With `--page` the tables replace what stands in the page between `<!-- measured: NAME -->` and `<!-- end -->`, and the
pictures are drawn into the folder `images` beside it; without it the tables are printed.
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
from benchmarks.search.summary import Summary


def main() -> None:
    """Read the command line, make the tables and the pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="FILE", help="what python -m benchmarks.search wrote")
    parser.add_argument("--page", type=Path, metavar="FILE", help="the page to put the tables into")
    options = parser.parse_args()
    summary = Summary(read(options.results))
    made = all_tables(summary)
    if options.page is None:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in made.items()))
        return
    options.page.write_text(with_tables(options.page.read_text(), made))
    draw_all(summary, options.page.parent / "images")


def all_tables(summary: Summary) -> dict[str, str]:
    """Return the tables by the names that they have in the page."""
    return {
        "regrets": tables.regrets(summary, 8, EVALUATIONS),
        "regrets of few": tables.regrets(summary, 8, GP_EVALUATIONS),
        "trials to target": tables.trials_to_target(summary, 8),
        "ranks": tables.ranks(summary, EVALUATIONS),
        "beside Optuna": tables.beside_optuna(summary),
        "pruners": tables.pruners(summary, 8),
        "populations": tables.populations(summary, 8),
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
