"""Columns of a trials' table for the metrics that count beside the first objective. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuning_operator.cli.columns import first_that_fit, heading
from tuning_operator.cli.formats import decimals_for, value_text
from tuning_operator.cli.trial_rows import TrialRow


@dataclass(frozen=True)
class MetricColumn:
    """A column of values."""

    metric: str
    heading: str
    decimals: int | None
    width: int

    def cell(self, row: TrialRow) -> str:
        """Return a trial's value."""
        return value_text(row.further.get(self.metric), self.decimals)


def metric_columns(rows: Sequence[TrialRow], metrics: Sequence[str], available: int) -> list[MetricColumn]:
    """Return the columns of the first metrics that fit into `available` characters."""
    return first_that_fit((_column(rows, metric) for metric in metrics), available)


def _column(rows: Sequence[TrialRow], metric: str) -> MetricColumn:
    decimals = decimals_for(row.further.get(metric) for row in rows)
    cells = [value_text(row.further.get(metric), decimals) for row in rows]
    text = heading(metric, 9)
    return MetricColumn(metric, text, decimals, max(map(len, [*cells, *text.split("\n")])))
