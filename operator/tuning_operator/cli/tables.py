"""Tables of trials, and of what is made of them. Pure: rows in, rich renderables out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.table import Table
from rich.text import Text

from tuning_contract.environment import ParameterValue
from tuning_operator.cli.columns import GAP, Names, cell, heading, names_in, parameter_columns
from tuning_operator.cli.formats import decimals_for, seconds_text, sparkline, spread_text, value_text
from tuning_operator.cli.lineage_columns import lineage_cells, lineage_headings, lineage_width
from tuning_operator.cli.metric_columns import MetricColumn, metric_columns
from tuning_operator.cli.ranking import Aims, is_feasible
from tuning_operator.cli.theme import BAR, BEST, FAINT, STATE_SIGNS, STATE_STYLES, state_text
from tuning_operator.cli.trial_rows import FAILED, TrialRow

TREND = 10
"""Characters of a trial's curve."""
NARROW = 100
"""Lines shorter than this show a trial's state by its sign alone."""
_NOTE = 24
"""Characters that are at most kept free for why trials ended."""


@dataclass(frozen=True)
class Shown:
    """What a table of trials shows."""

    metric: str
    parameters: Names
    width: int
    """Characters of a line."""
    best: int | None = None
    """Number of the trial to mark."""
    front: Collection[int] = ()
    """Numbers of the trials to mark, where there is no best one."""
    further: Sequence[str] = ()
    """Metrics that count beside the first objective."""
    running: bool = False
    """Whether to show how far trials are: step and curve."""
    notes: bool = False
    """Whether to show why trials ended, and where those of a strategy come from."""


def marks(shown: Shown, best_first: Sequence[TrialRow], aims: Aims) -> Shown:
    """Return the same with the best trial marked, or with all of them where there are several objectives; with none
    while no trial keeps the bounds of metrics."""
    if not best_first or not is_feasible(best_first[0], aims):
        return shown
    if aims.are_several:
        return replace(shown, front=frozenset(row.number for row in best_first))
    return replace(shown, best=best_first[0].number)


def trials_table(rows: Sequence[TrialRow], shown: Shown) -> Table:
    """Return one line for each trial, as wide as there is room."""
    decimals = decimals_for(row.value for row in rows)
    notes = max((len(row.remark) for row in rows), default=0) if shown.notes else 0
    lineage = lineage_headings(rows) if shown.notes else ()
    fixed = _fixed_width(rows, shown, decimals) + (min(notes, _NOTE) + GAP if notes else 0)
    metrics = metric_columns(rows, shown.further, shown.width - fixed)
    fixed += sum(column.width + GAP for column in metrics)
    columns = parameter_columns(rows, shown.parameters, shown.width - fixed)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style=FAINT)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("" if shown.width < NARROW else "state", no_wrap=True)
    if shown.running:
        table.add_column("step", justify="right", no_wrap=True)
    table.add_column(_value_heading(shown.metric), justify="right", no_wrap=True)
    for metric in metrics:
        table.add_column(metric.heading, justify="right", no_wrap=True)
    if shown.running:
        table.add_column("", min_width=TREND, no_wrap=True)
    timed = _are_timed(rows)
    if timed:
        table.add_column("time", justify="right", no_wrap=True)
    for name in lineage:
        table.add_column(name, justify="right", no_wrap=True)
    for column in columns:
        table.add_column(
            column.heading, justify="right" if column.right else "left", no_wrap=True, min_width=column.width
        )
    if notes:
        room = shown.width - _fixed_width(rows, shown, decimals)
        room -= sum(column.width + GAP for column in metrics) + sum(column.width + GAP for column in columns)
        table.add_column("", overflow="ellipsis", no_wrap=True, max_width=max(1, room))
    for row in rows:
        cells = [*(lineage_cells(row) if lineage else ()), *(cell(row, column.name) for column in columns)]
        time = [Text(seconds_text(row.seconds), style=FAINT)] if timed else []
        table.add_row(*_first_cells(row, shown, decimals, metrics), *time, *cells, *([_note(row)] if notes else []))
    return table


def _are_timed(rows: Sequence[TrialRow]) -> bool:
    """Whether it is known how long any of them took; of a front it is not."""
    return any(row.seconds is not None for row in rows)


def _first_cells(row: TrialRow, shown: Shown, decimals: int | None, metrics: Sequence[MetricColumn]) -> list[Text]:
    on_front = row.number in shown.front
    best = row.number == shown.best or on_front
    value = Text(_value(row, decimals), style=BEST if best else "" if row.value is not None else FAINT)
    state = Text("★ front" if on_front else "★ best", style=BEST) if best else state_text(row.state)
    if shown.width < NARROW:
        state.truncate(1)
    cells = [Text(str(row.number), style=BEST if best else ""), state]
    if shown.running:
        cells.append(Text("" if row.step is None else str(row.step)))
    cells += [value, *(Text(column.cell(row), style=value.style) for column in metrics)]
    if shown.running:
        cells.append(Text(sparkline(row.trend, TREND), style=BAR))
    return cells


def _value(row: TrialRow, decimals: int | None) -> str:
    return value_text(row.value, decimals) + spread_text(row.std, decimals)


def _note(row: TrialRow) -> Text:
    return Text(" ".join(row.remark.split()), style=STATE_STYLES[FAILED] if row.state == FAILED else FAINT)


def _value_heading(metric: str) -> str:
    return heading(metric, 9)


def _fixed_width(rows: Sequence[TrialRow], shown: Shown, decimals: int | None) -> int:
    """Width of all columns that are always there."""
    number = max((len(str(row.number)) for row in rows), default=1)
    state = 1 if shown.width < NARROW else max(len(f"{sign} {state}") for state, sign in STATE_SIGNS.items())
    values = [len(_value(row, decimals)) for row in rows]
    value = max(*(len(line) for line in _value_heading(shown.metric).split("\n")), *values, 1)
    time = [max(4, *(len(seconds_text(row.seconds)) for row in rows))] if _are_timed(rows) else []
    widths = [number, state, value, *time, *([4, TREND] if shown.running else [])]
    return sum(widths) + GAP * len(widths) + (lineage_width(rows, GAP) if shown.notes else 0)


def pairs_table(pairs: Mapping[str, str | Text], style: str = FAINT) -> Table:
    """Return names and what belongs to them, below each other."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column(style=style, overflow="fold")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, value)
    return table


def best_line(parameters: Mapping[str, ParameterValue], names: Names) -> Text:
    """Return a trial's parameters on one line, their values in front of the eye."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for name in names_in([parameters], names):
        if name in parameters:
            line.append(f"{name} ", style=FAINT)
            line.append(f"{cell(TrialRow(0, '', parameters), name)}   ")
    return line
