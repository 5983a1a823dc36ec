"""Tables for docs/search.md."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

from benchmarks.search.cells import LIBRARY, PRODUCT, TWIN, Result
from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.methods import PRUNERS, PRUNING_EVALUATIONS, SAMPLERS
from benchmarks.search.no_worse import Verdict, verdicts
from benchmarks.search.summary import RANDOM, Summary, quartiles, regret_after

_SIGNS = {Verdict.SAME: "=", Verdict.NO_WORSE: "✓", Verdict.UNDECIDED: "·", Verdict.WORSE: "✗"}


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def regrets(summary: Summary, parallelism: int, evaluations: int) -> str:
    """Show how far each sampler's best trial is above the minimum: median and quartiles; the best median is bold."""
    samplers = [name for name in summary.samplers() if SAMPLERS[name].evaluations >= evaluations]
    rows = []
    for function in FUNCTIONS.values():
        found = {}
        for sampler in samplers:
            results = summary.of(PRODUCT, sampler, function.name, parallelism)
            if results:
                found[sampler] = quartiles([regret_after(result, evaluations) for result in results.values()])
        best = min((middle for _, middle, _ in found.values()), default=None)
        rows.append([function.title, *(_spread(found.get(sampler), best) for sampler in samplers)])
    return table(["function, parameters", *samplers], rows)


def trials_to_target(summary: Summary, parallelism: int) -> str:
    """Show after how many trials each sampler was as good as one random point in a thousand: the median."""
    samplers = summary.samplers()
    rows = []
    for function in FUNCTIONS.values():
        cells = []
        for sampler in samplers:
            results = summary.of(PRODUCT, sampler, function.name, parallelism).values()
            cells.append(_median_trials([*results], function.target))
        rows.append([function.title, *cells])
    return table(["function, parameters", *samplers], rows)


def ranks(summary: Summary, evaluations: int) -> str:
    """Show each sampler's mean rank over the functions that all have, by its median; 1 is the best."""
    samplers = [name for name in summary.samplers() if SAMPLERS[name].evaluations >= evaluations and name != "Grid"]
    rows = []
    for parallelism in (1, 8, 64):
        placed: dict[str, list[int]] = {sampler: [] for sampler in samplers}
        for function in FUNCTIONS:
            medians = {
                sampler: median(regret_after(result, evaluations) for result in results.values())
                for sampler in samplers
                if (results := summary.of(PRODUCT, sampler, function, parallelism))
            }
            if len(medians) == len(samplers):
                for place, sampler in enumerate(sorted(medians, key=lambda name: medians[name]), 1):
                    placed[sampler].append(place)
        if any(placed.values()):
            rows.append([str(parallelism), *(f"{fmean(placed[sampler]):.1f}" for sampler in samplers)])
    return table(["in parallel", *samplers], rows)


def beside_optuna(summary: Summary) -> str:
    """Show whether each sampler's results are no worse than those of Optuna's own."""
    rows = []
    for sampler in summary.samplers():
        if sampler == "Grid":
            continue
        for parallelism in SAMPLERS[sampler].parallelism:
            comparisons = summary.comparisons(sampler, parallelism)
            if not comparisons:
                continue
            found, twins = verdicts(comparisons), summary.comparisons(sampler, parallelism, TWIN)
            cells = [_SIGNS[found[function]] if function in found else "" for function in FUNCTIONS]
            same = f"{sum(each.same for each in twins.values())} of {len(twins)}" if twins else ""
            seeds = max(len(summary.of(PRODUCT, sampler, function, parallelism)) for function in FUNCTIONS)
            rows.append([sampler, str(parallelism), str(seeds), *cells, same])
    names = [function.title.partition(",")[0] for function in FUNCTIONS.values()]
    return table(["sampler", "in parallel", "seeds", *names, "same with our random numbers"], rows)


def pruners(summary: Summary, parallelism: int) -> str:
    """Show what each pruner saves and costs."""
    rows = []
    for sampler in (RANDOM, "TPE"):
        for function in FUNCTIONS.values():
            whole = summary.of(PRODUCT, sampler, function.name, parallelism, "None")
            for pruner in PRUNERS if whole else ():
                results = summary.of(PRODUCT, sampler, function.name, parallelism, pruner)
                optunas = summary.of(LIBRARY, sampler, function.name, parallelism, pruner)
                if results:
                    rows.append([sampler, function.title, pruner, *_pruning(whole, results, optunas)])
    return table(["sampler", "function", "pruner", "trials stopped", "GPU time saved", "regret", "Optuna's"], rows)


def _pruning(whole: dict[int, Result], results: dict[int, Result], optunas: dict[int, Result]) -> list[str]:
    saved = [1 - results[seed].gpu_seconds / whole[seed].gpu_seconds for seed in results if seed in whole]
    stopped = median(result.pruned for result in results.values()) / PRUNING_EVALUATIONS
    regret = _spread(quartiles([result.regret for result in results.values()]), None)
    theirs = _spread(quartiles([result.regret for result in optunas.values()]), None) if optunas else ""
    return [f"{stopped:.0%}", f"{median(saved):.0%}", regret, theirs]


def _median_trials(results: Sequence[Result], target: float) -> str:
    if not results:
        return ""
    reached = [result.reached(target) for result in results]
    middle = quartiles([float("inf") if each is None else each[0] for each in reached])[1]
    if middle == float("inf"):
        return f"– ({sum(each is not None for each in reached)}/{len(reached)})"
    return f"{middle:.0f}"


def _spread(found: tuple[float, float, float] | None, best: float | None) -> str:
    if found is None:
        return ""
    lower, middle, upper = (_number(value) for value in found)
    shown = f"**{middle}**" if found[1] == best else middle
    return f"{shown} ({lower} – {upper})"


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 0.0995 else f"{value:.2f}" if value < 9.95 else f"{value:.0f}"
