"""Which parameters fit beside each other, and under which headings. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tuning_operator.cli.formats import NOTHING, parameter_text
from tuning_operator.cli.trial_rows import TrialRow

GAP = 2
"""Characters between two columns."""
_WIDEST = 18
"""Characters of a value; a longer one is cut."""


class Column(Protocol):
    """A column of a trials' table, of whatever."""

    @property
    def width(self) -> int:
        """How many characters it has."""


_AnyColumn = TypeVar("_AnyColumn", bound=Column)


@dataclass(frozen=True)
class ParameterColumn:
    """A column of a trials' table."""

    name: str
    heading: str
    """The name, broken into lines at its underscores."""
    width: int
    right: bool
    """Whether all values are numbers."""


Names = Sequence[str] | None
"""Parameters in the order of their columns; None: whatever trials have, for their code names them."""


def parameter_columns(rows: Sequence[TrialRow], names: Names, available: int) -> list[ParameterColumn]:
    """Return the columns of the first parameters that fit into `available` characters."""
    found = names_in([row.parameters for row in rows], names)
    return first_that_fit((_column(rows, name) for name in found), available)


def names_in(parameters: Iterable[Mapping[str, Any]], names: Names) -> Sequence[str]:
    """Return the names, and where those of trials count, all that these have, in the order of their appearance."""
    return list(dict.fromkeys(name for each in parameters for name in each)) if names is None else names


def first_that_fit(columns: Iterable[_AnyColumn], available: int) -> list[_AnyColumn]:
    """Return the first columns that fit into `available` characters."""
    fitting = []
    for column in columns:
        available -= column.width + GAP
        if available < 0:
            break
        fitting.append(column)
    return fitting


def cell(row: TrialRow, name: str) -> str:
    """Return a parameter's value of one trial, cut to a column's width."""
    if name not in row.parameters:
        return NOTHING
    text = parameter_text(row.parameters[name])
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def heading(name: str, width: int) -> str:
    """Break a name at its underscores and dots into lines of at most `width` characters, where it has any."""
    lines = [""]
    for part in re.findall(r"[^_./-]+[_./-]*|[_./-]+", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _column(rows: Sequence[TrialRow], name: str) -> ParameterColumn:
    width = max((len(cell(row, name)) for row in rows), default=0)
    text = heading(name, max(width, 6))
    values = [row.parameters[name] for row in rows if name in row.parameters]
    right = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return ParameterColumn(name, text, max(width, *(len(line) for line in text.split("\n"))), right)
