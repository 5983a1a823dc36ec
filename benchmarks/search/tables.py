"""Tables for docs/search.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from scipy.stats import binomtest

from benchmarks.search.cells import LIBRARY, PRODUCT, TWIN, WITHOUT_PRUNER, Result
from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.methods import NO_PRUNER, NO_PRUNER_OF_FOLDS, POPULATIONS, PRUNERS, SAMPLERS
from benchmarks.search.no_worse import Comparison, Verdict, together, verdicts
from benchmarks.search.summary import RANDOM, Summary, quartiles, regret_after, regret_for, trials_to

_SIGNS = {Verdict.SAME: "=", Verdict.NO_WORSE: "✓", Verdict.UNDECIDED: "·", Verdict.WORSE: "✗"}


_UNRANKED = ("Grid", "NSGAIII")
"""Samplers that are not for most of the functions."""


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
            results = summary.both(sampler, function.name, parallelism)
            if results:
                found[sampler] = quartiles([regret_after(result, evaluations) for result in results])
        best = min((middle for _, middle, _ in found.values()), default=None)
        rows.append([function.title, *(spread(found.get(sampler), best) for sampler in samplers)])
    return table(["function, parameters", *samplers], [*rows, _studies(summary, samplers, parallelism)])


def _studies(summary: Summary, samplers: Sequence[str], parallelism: int) -> list[str]:
    """Return a row that tells on how many studies the figures above rest."""
    cells = []
    for sampler in samplers:
        found = [len(summary.both(sampler, function, parallelism)) for function in FUNCTIONS]
        counts = sorted(count for count in found if count)
        cells.append("" if not counts else f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} – {counts[-1]}")
    return ["studies", *cells]


def trials_to_target(summary: Summary, parallelism: int) -> str:
    """Show after how many trials each sampler was as good as one random point in a thousand: the median."""
    samplers = summary.samplers()
    rows = []
    for function in FUNCTIONS.values():
        found = (summary.both(sampler, function.name, parallelism) for sampler in samplers)
        rows.append([function.title, *(_median_trials(results, function.target) for results in found)])
    return table(["function, parameters", *samplers], [*rows, _studies(summary, samplers, parallelism)])


def ranks(summary: Summary, evaluations: int) -> str:
    """Show each sampler's mean rank over the functions that all have, by its median; 1 is the best."""
    ranked = [name for name in summary.samplers() if name not in _UNRANKED]
    samplers = [name for name in ranked if SAMPLERS[name].evaluations >= evaluations]
    rows = []
    for parallelism in (1, 8, 64):
        placed: dict[str, list[int]] = {sampler: [] for sampler in samplers}
        for function in FUNCTIONS:
            medians = {
                sampler: median(regret_after(result, evaluations) for result in results)
                for sampler in samplers
                if (results := summary.both(sampler, function, parallelism))
            }
            if len(medians) == len(samplers):
                for place, sampler in enumerate(sorted(medians, key=lambda name: medians[name]), 1):
                    placed[sampler].append(place)
        if any(placed.values()):
            rows.append([str(parallelism), *(f"{fmean(placed[sampler]):.1f}" for sampler in samplers)])
    return table(["in parallel", *samplers], rows)


def beside_optuna(summary: Summary) -> str:
    """Show whether each method's results are no worse than those of Optuna's own."""
    methods = [
        (sampler, WITHOUT_PRUNER, parallelism)
        for sampler in summary.samplers()
        if sampler not in ("Grid", RANDOM)
        for parallelism in SAMPLERS[sampler].parallelism
    ]
    methods += [("TPE", pruner, 8) for pruner in PRUNERS if pruner not in (NO_PRUNER, NO_PRUNER_OF_FOLDS)]
    rows = [row for method in methods if (row := _beside_optuna(summary, *method))]
    names = [function.title.partition(",")[0] for function in FUNCTIONS.values()]
    headings = ["method", "in parallel", "seeds", *names, "all together", "target sooner / later"]
    return table([*headings, "same with our random numbers"], rows)


def _beside_optuna(summary: Summary, sampler: str, pruner: str, parallelism: int) -> list[str]:
    comparisons = summary.comparisons(sampler, parallelism, LIBRARY, pruner)
    if not comparisons:
        return []
    found, twins = verdicts(comparisons), summary.comparisons(sampler, parallelism, TWIN, pruner)
    cells = [_SIGNS[found[function]] if function in found else "" for function in FUNCTIONS]
    seeds = max(len(summary.of(PRODUCT, sampler, function, parallelism, pruner)) for function in FUNCTIONS)
    name = sampler if pruner == WITHOUT_PRUNER else f"{sampler}, {pruner}"
    sooner = _sooner(summary.hours_to_target(sampler, parallelism, pruner))
    all_together = _shown(*together(comparisons.values()))
    return [name, str(parallelism), str(seeds), *cells, all_together, sooner, _same_numbers(twins)]


def _sooner(pairs: Sequence[tuple[float, float]]) -> str:
    """Count the studies that were good enough sooner than Optuna's of the same seed, and those that were later."""
    sooner, later = (sum(first < second for first, second in each) for each in (pairs, [(b, a) for a, b in pairs]))
    if not sooner + later:
        return ""
    return f"{sooner} / {later}, p = {binomtest(sooner, sooner + later).pvalue:.1g}"


def _shown(verdict: Verdict, p: float) -> str:
    return _SIGNS[verdict] + ("" if verdict is Verdict.SAME else f" p = {p:.1g}")


def _same_numbers(twins: Mapping[str, Comparison]) -> str:
    """Tell on how many functions Optuna with our random numbers finds the same in all studies, and, where it does not
    on all of them, what the test says of those pairs."""
    if not twins:
        return ""
    same = sum(each.same for each in twins.values())
    if same == len(twins):
        return f"= {same} of {same}"
    verdict, p = together(twins.values())  # of those with a gap
    return f"{same} of {len(twins)}" + ("" if verdict is Verdict.SAME else f"; {_shown(verdict, p)}")


def pruners(summary: Summary, parallelism: int) -> str:
    """Show the GPU time that each pruner saves, and how far the best trial is above the minimum then: medians."""
    columns = _pruned_columns(summary, parallelism)
    rows = []
    for pruner in PRUNERS:
        cells = [_pruning(summary, *column, parallelism, pruner) for column in columns]
        rows.append([pruner, *cells, _same_decisions(summary, parallelism, pruner)])
    return table(["pruner", *(_column_name(*column) for column in columns), "stops what Optuna's stops"], rows)


def _pruned_columns(summary: Summary, parallelism: int) -> list[tuple[str, str]]:
    """Return the samplers and functions that pruners are tried with."""
    return [
        (sampler, function)
        for sampler in (RANDOM, "TPE")
        for function in FUNCTIONS
        if summary.both(sampler, function, parallelism, NO_PRUNER)
    ]


def _column_name(sampler: str, function: str) -> str:
    return f"{sampler}, {FUNCTIONS[function].title.partition(',')[0]}"


def _pruning(summary: Summary, sampler: str, function: str, parallelism: int, pruner: str) -> str:
    saved = summary.saved(sampler, function, parallelism, pruner)
    if not saved:
        return ""
    results = summary.both(sampler, function, parallelism, pruner)
    return f"{median(saved):.0%}, {number(median(result.regret for result in results))} ({len(results)})"


def with_the_same_gpu_time(summary: Summary, parallelism: int) -> str:
    """Show what is found with each pruner, and what Random and TPE alone find in as much GPU time: medians, and in how
    many studies the pruner's is better and worse."""
    functions = [name for name in FUNCTIONS if summary.both(RANDOM, name, parallelism, NO_PRUNER)]
    rows = []
    for sampler in (RANDOM, "TPE"):
        for pruner in PRUNERS:
            if pruner not in (NO_PRUNER, NO_PRUNER_OF_FOLDS):
                cells = [_beside_whole_trials(summary, sampler, name, parallelism, pruner) for name in functions]
                if any(cells):
                    rows.append([f"{sampler}, {pruner}", *cells])
    return table(["method", *(FUNCTIONS[name].title for name in functions)], rows)


def _beside_whole_trials(summary: Summary, sampler: str, function: str, parallelism: int, pruner: str) -> str:
    results = summary.both(sampler, function, parallelism, pruner)
    if not results:
        return ""
    found = [number(median(result.regret for result in results))]
    for alone in (RANDOM, "TPE"):
        pairs = summary.beside_whole_trials(sampler, alone, function, parallelism, pruner)
        if pairs:
            found.append(f"{number(median(other for _, other in pairs))} ({_better(pairs)})")
    return " / ".join(found)


def _better(pairs: Sequence[tuple[float, float]]) -> str:
    return f"{sum(mine < other for mine, other in pairs)} : {sum(mine > other for mine, other in pairs)}"


def populations(summary: Summary, parallelism: int) -> str:
    """Show what each strategy finds beside random search and TPE with the same GPU time, seed by seed: medians and
    quartiles, and in how many studies the strategy is better and worse."""
    rows = []
    for name in (*POPULATIONS, "SynchronousHyperband"):
        for function in FUNCTIONS.values():
            found = summary.of(PRODUCT, RANDOM, function.name, parallelism, name)
            hours = [result.gpu_seconds / 3600 for result in found.values()]
            beside = []
            for sampler in (RANDOM, "TPE"):
                whole = summary.of(PRODUCT, sampler, function.name, parallelism)
                pairs = [
                    (result.regret, regret_for(whole[seed], result.gpu_seconds))
                    for seed, result in found.items()
                    if seed in whole
                ]
                beside += [spread(quartiles([other for _, other in pairs])), _better(pairs)] if pairs else ["", ""]
            if found:
                finds = spread(quartiles([result.regret for result in found.values()]))
                rows.append([name, function.title, number(median(hours)), finds, *beside])
    better = "better : worse"
    headings = [
        "strategy",
        "function, parameters",
        "GPU hours",
        "it finds",
        "Random finds",
        better,
        "TPE finds",
        better,
    ]
    return table(headings, rows)


def _same_decisions(summary: Summary, parallelism: int, pruner: str) -> str:
    """Count the studies of the same trials in which Optuna's pruner stopped the same ones."""
    same = total = 0
    for function in FUNCTIONS:
        product, twin = (summary.of(side, RANDOM, function, parallelism, pruner) for side in (PRODUCT, TWIN))
        for seed in set(product) & set(twin):
            total += 1
            same += (product[seed].pruned, product[seed].gpu_seconds) == (twin[seed].pruned, twin[seed].gpu_seconds)
    return f"{same} of {total}" if total else ""


def _median_trials(results: Sequence[Result], target: float) -> str:
    if not results:
        return ""
    reached = [trials_to(result, target) for result in results]
    middle = quartiles(reached)[1]
    return seldom(reached) if middle == math.inf else f"{middle:.0f}"


def seldom(reached: Sequence[float]) -> str:
    """Show how many studies came to a target that most did not come to; those are infinite."""
    return f"– ({sum(each < math.inf for each in reached)}/{len(reached)})"


def spread(found: tuple[float, float, float] | None, best: float | None = None) -> str:
    """Show (lower quartile, median, upper quartile); the best median is bold."""
    if found is None:
        return ""
    lower, middle, upper = (number(value) for value in found)
    shown = f"**{middle}**" if found[1] == best else middle
    return f"{shown} ({lower} – {upper})"


def number(value: float) -> str:
    """Show two digits, but whole numbers whole."""
    return f"{value:.2g}" if value < 0.0995 else f"{value:.2f}" if value < 9.95 else f"{value:.0f}"
