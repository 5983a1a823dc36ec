"""Figures as a table, for a terminal or for a document."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

HEADINGS = ("what", "budget", "measured", "within", "reference", "reference is", "load", "notes")


def show(figures: Sequence[Figure]) -> None:
    """Print the table, and on which machine it was measured."""
    console = Console()
    table = Table(*HEADINGS, title=machine(), title_justify="left", pad_edge=False)
    for figure in figures:
        style = "red" if figure.within_budget is False else None
        table.add_row(*cells(figure), style=style)
    console.print(table if console.width >= 120 else markdown(figures), soft_wrap=True)


def markdown(figures: Sequence[Figure]) -> str:
    """Return the table for a document."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    lines += [f"| {' | '.join(cells(figure))} |" for figure in figures]
    return "\n".join([machine(), "", *lines])


def cells(figure: Figure) -> tuple[str, ...]:
    """Return a row's texts."""
    sign = "≥ " if figure.at_least else "≤ "
    within = {True: "yes", False: "no", None: "–"}[figure.within_budget]
    return (
        figure.name,
        "–" if figure.budget is None else sign + _amount(figure.budget, figure.unit),
        "–" if figure.measured is None else _amount(figure.measured, figure.unit),
        within,
        "–" if figure.reference is None else _amount(figure.reference, figure.unit),
        figure.compared_with,
        f"{figure.load:.1f}",
        figure.note,
    )


def machine() -> str:
    """Describe the machine in a line: what it has, and how busy it is now."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{usable} cores; load average {', '.join(f'{part:.1f}' for part in os.getloadavg())} (1, 5, 15 minutes)"


def _amount(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()
