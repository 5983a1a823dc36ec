"""Draws the pictures of the README from a study that was run here: `python docs/images/make.py [FILE]`.

    tuning run examples/digits-mlp.yaml
    python docs/images/make.py

`digits-mlp.png` shows every trial's value and every trial's curve, `digits-mlp-terminal.svg` what `tuning run` prints at
its end.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from rich.console import Console

from tuning_operator.api.study import Direction
from tuning_operator.api.yaml_files import load_study
from tuning_operator.cli.local_reader import LocalReader
from tuning_operator.cli.result_view import result_view
from tuning_operator.cli.run_screen import PlainScreen
from tuning_operator.cli.run_session import RunSession
from tuning_operator.cli.study_reader import StudyFacts
from tuning_operator.cli.trial_rows import COMPLETE, FAILED, PRUNED, TrialRow, ranked, trial_row

EXAMPLE = Path("examples/digits-mlp.yaml")
COMPLETE_COLOUR, PRUNED_COLOUR, BEST_COLOUR, FAINT = "#3b7dd8", "#c9a227", "#1a7f37", "#8c959f"
TERMINAL_COLUMNS = 100


def main(arguments: Sequence[str]) -> None:
    """Draw the pictures beside this file."""
    path = Path(arguments[0]) if arguments else EXAMPLE
    reader = LocalReader.of_file(path)
    rows = [trial_row(document) for document in reader.trials()]
    here = Path(__file__).parent
    draw_trials(rows, reader.curves(), reader.facts(), here / f"{path.stem}.png")
    draw_terminal(path, here / f"{path.stem}-terminal.svg")


def draw_trials(
    rows: Sequence[TrialRow], curves: Mapping[int, Mapping[int, float]], facts: StudyFacts, file: Path
) -> None:
    """Draw the history of the values, and beside it the curves of all trials."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": FAINT})
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    best = ranked(rows, facts.direction)[0]
    _draw_history(left, rows, best, facts.direction)
    _draw_curves(right, rows, curves, best)
    left.set_ylabel(facts.metric)
    _zoom(left, rows)
    counts = {state: sum(row.state == state for row in rows) for state in (COMPLETE, PRUNED, FAILED)}
    shown = ", ".join(f"{count} {state.lower()}" for state, count in counts.items() if count)
    figure.suptitle(
        f"{facts.name}: {len(rows)} trials, {shown}; best {facts.metric} {best.value:.4f} (trial {best.number})",
        x=0.01, ha="left", fontsize=11, fontweight="bold",
    )
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#eaeef2")
        axes.set_axisbelow(True)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _draw_history(axes: Axes, rows: Sequence[TrialRow], best: TrialRow, direction: Direction) -> None:
    complete = [row for row in rows if row.state == COMPLETE]
    pruned = [row for row in rows if row.state == PRUNED and row.value is not None]
    better = max if direction is Direction.MAXIMIZE else min
    so_far = [better(row.value for row in complete[: count + 1]) for count in range(len(complete))]
    axes.step(
        [row.number for row in complete] + [rows[-1].number], so_far + so_far[-1:], where="post",
        color=BEST_COLOUR, linewidth=1.5, label="best so far",
    )
    axes.scatter(
        [row.number for row in complete], [row.value for row in complete],
        s=36, color=COMPLETE_COLOUR, zorder=3, label="complete",
    )
    axes.scatter(
        [row.number for row in pruned], [row.value for row in pruned],
        s=36, facecolors="white", edgecolors=PRUNED_COLOUR, linewidths=1.4, zorder=3, label="pruned",
    )
    axes.scatter([best.number], [best.value], s=170, marker="*", color=BEST_COLOUR, zorder=4)
    axes.set_xlabel("trial")
    axes.set_title("each trial's value", loc="left", fontsize=10, color="#57606a")
    axes.legend(frameon=False, loc="lower right")


def _draw_curves(
    axes: Axes, rows: Sequence[TrialRow], curves: Mapping[int, Mapping[int, float]], best: TrialRow
) -> None:
    for row in rows:
        steps = sorted(curves.get(row.number, {}))
        values = [curves[row.number][step] for step in steps]
        if not steps or row.state not in (COMPLETE, PRUNED):
            continue
        if row.number == best.number:
            axes.plot(steps, values, color=BEST_COLOUR, linewidth=2.2, zorder=4)
        elif row.state == COMPLETE:
            axes.plot(steps, values, color=COMPLETE_COLOUR, linewidth=1, alpha=0.55, zorder=2)
        else:
            axes.plot(steps, values, color=PRUNED_COLOUR, linewidth=1, zorder=3)
            axes.plot(
                steps[-1:], values[-1:], marker="o", markersize=4.5, color=PRUNED_COLOUR, markerfacecolor="white", zorder=3
            )
    axes.set_xlabel("epoch")
    axes.set_title("after each epoch; pruned trials end early", loc="left", fontsize=10, color="#57606a")


def _zoom(axes: Axes, rows: Sequence[TrialRow]) -> None:
    values = [row.value for row in rows if row.value is not None]
    margin = 0.04 * (max(values) - min(values))
    axes.set_ylim(min(values) - margin, max(values) + margin)


def draw_terminal(path: Path, file: Path) -> None:
    """Draw the result that `tuning run` prints again for a study that is complete."""
    nowhere = Console(file=io.StringIO())
    end = asyncio.run(RunSession(path, load_study(path), PlainScreen(nowhere)).run(None, new=False))
    console = Console(
        record=True, width=TERMINAL_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(result_view(end.result, TERMINAL_COLUMNS))
    console.save_svg(str(file), title=f"tuning run {path}")
    without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", file.read_text(), flags=re.DOTALL)  # pages load none
    file.write_text(_moved_past_spaces(without_fonts))


def _moved_past_spaces(svg: str) -> str:
    """Move texts that begin with spaces to where their first letter is: some renderers drop such spaces."""

    def moved(match: re.Match[str]) -> str:
        head, x, middle, length, tail, text = match.groups()
        letters = text.replace("&#160;", " ")
        entities = re.sub(r"&[^;]+;", "?", letters)
        spaces = len(entities) - len(entities.lstrip(" "))
        width = float(length) / len(entities)
        if spaces == len(entities):
            return match[0]
        rest = text[len("&#160;") * spaces :]
        return f'{head}{float(x) + spaces * width:.1f}{middle}{float(length) - spaces * width:.1f}{tail}{rest}</text>'

    return re.sub(r'(<text [^>]*?x=")([\d.]+)("[^>]*?textLength=")([\d.]+)("[^>]*>)((?:&#160;)[^<]*)</text>', moved, svg)


if __name__ == "__main__":
    main(sys.argv[1:])
