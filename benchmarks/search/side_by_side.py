"""Tables for docs/search-beside-optuna.md: each method's results beside those of Optuna, by function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from benchmarks.search.cells import LIBRARY, PRODUCT, Result
from benchmarks.search.functions import FUNCTIONS, Function
from benchmarks.search.methods import PRUNERS, SAMPLERS
from benchmarks.search.summary import RANDOM, Summary, hours_to, quartiles, trials_to
from benchmarks.search.tables import number, seldom, spread, table

_SIDES = (PRODUCT, LIBRARY)
_TITLES = ("here", "Optuna")


def side_by_side(summary: Summary) -> dict[str, str]:
    """Return a table of each sampler, and one of the pruners, by their names in the page."""
    samplers = {f"{sampler} side by side": _of_sampler(summary, sampler) for sampler in SAMPLERS}
    return samplers | {"pruners side by side": _of_pruners(summary)}


def _of_sampler(summary: Summary, sampler: str) -> str:
    rows = []
    for parallelism in SAMPLERS[sampler].parallelism:
        for function in FUNCTIONS.values():
            sides = [summary.of(side, sampler, function.name, parallelism) for side in _SIDES]
            if all(sides):
                rows.append([str(parallelism), function.title, *_columns(sides, function)])
    return table(["in parallel", "function, parameters", *_headings("above the minimum")], rows)


def _of_pruners(summary: Summary) -> str:
    rows = []
    for sampler in (RANDOM, "TPE"):
        for pruner in PRUNERS:
            for function in FUNCTIONS.values():
                sides = [summary.of(side, sampler, function.name, 8, pruner) for side in _SIDES]
                if all(sides):
                    hours = [spread(quartiles([each.gpu_seconds / 3600 for each in side.values()])) for side in sides]
                    rows.append([pruner, f"{sampler}, {function.title}", *hours, *_columns(sides, function)])
    return table(["pruner", "sampler, function", *_headings("GPU hours", "above the minimum")], rows)


def _headings(*first: str) -> list[str]:
    return [f"{what}: {side}" for what in (*first, "trials to target", "hours to target") for side in _TITLES]


def _columns(sides: Sequence[Mapping[int, Result]], function: Function) -> list[str]:
    """Return how far the best is above the minimum, and after how many trials and hours one was good enough: medians
    and quartiles, here and of Optuna."""
    regrets = [spread(quartiles([result.regret for result in side.values()])) for side in sides]
    target = function.target
    trials = [_to_target([trials_to(each, target) for each in side.values()], "{:g}".format) for side in sides]
    hours = [_to_target([hours_to(each, target) for each in side.values()], number) for side in sides]
    return [*regrets, *trials, *hours]


def _to_target(reached: Sequence[float], shown: Callable[[float], str]) -> str:
    """Return the median and the quartiles; where most did not come so far, how many did."""
    lower, middle, upper = quartiles(reached)
    if middle == math.inf:
        return seldom(reached)
    return f"{shown(middle)} ({shown(lower)} – {'never' if upper == math.inf else shown(upper)})"
