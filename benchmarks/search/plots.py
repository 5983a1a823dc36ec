"""Pictures for docs/search.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from benchmarks.search.cells import Result
from benchmarks.search.functions import FUNCTIONS, Function
from benchmarks.search.methods import NO_PRUNER, PRUNERS
from benchmarks.search.summary import RANDOM, Summary, hours_to, quartiles, regret_after

COLOURS = {
    "TPE": "#1f6feb",
    "CMAES": "#d1242f",
    "GP": "#1a7f37",
    "NSGAII": "#9a6700",
    "QMC": "#8250df",
    "Random": "#57606a",
}
MARKERS = dict(zip(PRUNERS, "osD^v<P*>X", strict=True))
FAINT, GREY = "#eaeef2", "#57606a"
_TRIALS = (4, 8, 16, 32, 64, 128, 256)
_FEW_DECADES = 50
"""A logarithmic axis of a smaller ratio has ticks between the powers of ten."""
_SMALLEST = 1e-6
"""Of what a logarithmic axis shows of a regret."""


def _plain(value: float, _place: float) -> str:
    """Return a tick's number without needless digits."""
    return f"{value:g}"


def draw_all(summary: Summary, folder: Path) -> list[Path]:
    """Draw the pictures into a folder; return their files."""
    plt.rcParams.update(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "axes.edgecolor": "#8c959f",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "svg.hashsalt": "search",
        }
    )
    pictures = {
        "search-trials.svg": _convergence(summary, 8),
        "search-parallel.svg": _parallel(summary),
        "search-pruners.svg": _pruning(summary, 8),
    }
    for name, picture in pictures.items():
        picture.savefig(folder / name, metadata={"Date": None})
        plt.close(picture)
    return [folder / name for name in pictures]


def _convergence(summary: Summary, parallelism: int) -> Picture:
    """Draw how near to the minimum each sampler is after how many trials."""
    picture, panels = _panels(f"How far from the minimum after how many trials, {parallelism} at a time")
    for axes, function in zip(panels, FUNCTIONS.values(), strict=True):
        for sampler, colour in COLOURS.items():
            results = summary.both(sampler, function.name, parallelism)
            if results:
                _draw_course(axes, results, colour, sampler)
        axes.axhline(function.target, color="#8c959f", linewidth=0.8, linestyle=(0, (2, 2)))
        axes.set(xscale="log", yscale="log", title=function.title)
        axes.set_xticks(_TRIALS, map(str, _TRIALS))
    _finish(picture, panels, "trials that have ended", "above the minimum")
    return picture


def _draw_course(axes: Axes, results: Sequence[Result], colour: str, label: str) -> None:
    ended = np.unique(np.geomspace(_TRIALS[0], results[0].cell.evaluations, 60).round().astype(int))
    spread = np.array([quartiles([regret_after(result, each) for result in results]) for each in ended])
    lower, middle, upper = np.maximum(spread, _SMALLEST).T
    axes.fill_between(ended, lower, upper, color=colour, alpha=0.10, linewidth=0)
    axes.plot(ended, middle, color=colour, linewidth=1.6, label=label)


def _parallel(summary: Summary) -> Picture:
    """Draw how long each sampler takes to the target with 1, 8 and 64 trials at a time."""
    picture, panels = _panels(
        "Hours until a trial is as good as the best of a thousand random ones (hollow: not reached)"
    )
    for axes, function in zip(panels, FUNCTIONS.values(), strict=True):
        for sampler, colour in COLOURS.items():
            found = {each: _hours_to_target(summary, sampler, function, each) for each in (1, 8, 64)}
            points = [(parallelism, *hours) for parallelism, hours in found.items() if hours is not None]
            if points:
                at_once, hours, _ = zip(*points, strict=True)
                axes.plot(at_once, hours, color=colour, linewidth=1.6, label=sampler)
                for x, y, is_reached in points:
                    face = colour if is_reached else "white"
                    axes.plot(x, y, "o", color=colour, markersize=4.5, markerfacecolor=face)
        axes.set(xscale="log", yscale="log", title=function.title, xlim=(0.8, 80))
        axes.set_xticks([1, 8, 64], ["1", "8", "64"])
    _finish(picture, panels, "trials at a time", "hours, median")
    return picture


def _hours_to_target(summary: Summary, sampler: str, function: Function, parallelism: int) -> tuple[float, bool] | None:
    """Return the median, and whether it is one: where most studies never came so far, it is how long all took."""
    results = summary.both(sampler, function.name, parallelism)
    if not results:
        return None
    middle = quartiles([hours_to(result, function.target) for result in results])[1]
    if middle < float("inf"):
        return middle, True
    return quartiles([result.seconds / 3600 for result in results])[1], False


def _pruning(summary: Summary, parallelism: int) -> Picture:
    """Draw what each pruner saves, and what of the result it costs."""
    functions = [name for name in FUNCTIONS if summary.both(RANDOM, name, parallelism, NO_PRUNER)]
    picture, grid = plt.subplots(1, max(1, len(functions)), figsize=(11, 3.9), layout="constrained", squeeze=False)
    picture.suptitle("GPU time that pruners save, and what is found", x=0.01, ha="left", fontsize=11, fontweight="bold")
    for axes, name in zip(grid[0], functions, strict=False):
        for sampler in (RANDOM, "TPE"):
            for pruner, marker in MARKERS.items():
                saved = [100 * share for share in summary.saved(sampler, name, parallelism, pruner)]
                if saved:
                    results = summary.both(sampler, name, parallelism, pruner)
                    lower, middle, upper = quartiles([result.regret for result in results])
                    x = quartiles(saved)[1]
                    axes.plot([x, x], [lower, upper], color=COLOURS[sampler], linewidth=1, alpha=0.35)
                    axes.plot(x, middle, marker, color=COLOURS[sampler], markersize=6.5, markeredgecolor="white")
        axes.set_title(FUNCTIONS[name].title, loc="left", fontsize=9, color=GREY)
        axes.set(yscale="log", xlim=(-5, 100), xlabel="GPU time saved, %")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(_plain)
        axes.minorticks_off()
        axes.grid(color=FAINT)
    grid[0][0].set_ylabel("above the minimum")
    handles = [Line2D([], [], color=COLOURS[name], linewidth=3, label=name) for name in (RANDOM, "TPE")]
    handles += [
        Line2D([], [], color=GREY, marker=marker, linestyle="", label=name.replace(NO_PRUNER, "no pruner"))
        for name, marker in MARKERS.items()
    ]
    picture.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return picture


def _panels(title: str) -> tuple[Picture, Sequence[Axes]]:
    picture, grid = plt.subplots(3, 3, figsize=(10, 8), layout="constrained", sharex=True)
    picture.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return picture, list(grid.flat)


def _finish(picture: Picture, panels: Sequence[Axes], x: str, y: str) -> None:
    for place, axes in enumerate(panels):
        axes.set_title(axes.get_title(), loc="left", fontsize=9, color=GREY)
        axes.set_title("")
        axes.grid(color=FAINT)
        axes.minorticks_off()
        low, high = axes.get_ylim()
        if high / low < _FEW_DECADES:
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(_plain)
        if place % 3 == 0:
            axes.set_ylabel(y)
        if place >= 6:
            axes.set_xlabel(x)
    handles, labels = [], []
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    if handles:
        picture.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
