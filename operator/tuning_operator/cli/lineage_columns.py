"""Columns of a trials' table that say where a strategy's trials come from. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tuning_operator.cli.formats import NOTHING
from tuning_operator.cli.trial_rows import TrialRow

HEADINGS = ("stage", "from", "to step")
"""Bracket and rung (`b0 r1`) or generation (`g2`), the parent, and the last step."""


def lineage_headings(rows: Sequence[TrialRow]) -> Sequence[str]:
    """Return the headings of the columns, none where no trial has a lineage."""
    return HEADINGS if any(row.lineage for row in rows) else ()


def lineage_cells(row: TrialRow) -> list[str]:
    """Return a trial's cells of these columns."""
    known = {name: NOTHING if value is None else str(value) for name, value in row.lineage.items()}
    letters = {"bracket": "b", "rung": "r", "generation": "g"}
    stage = " ".join(letters[name] + known[name] for name in letters if row.lineage.get(name) is not None)
    return [stage or NOTHING, known.get("parent", NOTHING), known.get("budget", NOTHING)]


def lineage_width(rows: Sequence[TrialRow], gap: int) -> int:
    """Return how many characters the columns take, gaps included."""
    columns = zip(lineage_headings(rows), *(lineage_cells(row) for row in rows), strict=False)
    return sum(max(map(len, column)) + gap for column in columns)
