"""What a program found: a figure, its budget, and the reference that was measured beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


def _load() -> float:
    return os.getloadavg()[0]


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    name: str
    unit: str
    budget: float | None = None
    """None: the figure explains another one and has no budget of its own."""
    measured: float | None = None
    """None: not measured; `note` says why."""
    reference: float | None = None
    compared_with: str = ""
    """What the reference is."""
    at_least: bool = False
    """Whether the budget is a lower bound, as for a throughput."""
    note: str = ""
    """Sizes, and whatever the reader must know to judge the figure."""
    load: float = field(default_factory=_load)
    """The machine's load average over the minute in which the figure was measured."""

    @property
    def within_budget(self) -> bool | None:
        """Whether the budget was met; None without a budget or a measurement."""
        if self.budget is None or self.measured is None:
            return None
        return self.measured >= self.budget if self.at_least else self.measured <= self.budget

    def to_document(self) -> dict[str, Any]:
        """Return the figure as JSON carries it."""
        return {**asdict(self), "within_budget": self.within_budget}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Figure:
        """Read what `to_document` returned."""
        return cls(**{key: value for key, value in document.items() if key != "within_budget"})


def missing(name: str, unit: str, reason: str, budget: float | None = None) -> Figure:
    """Return the row of something that this machine can't measure."""
    return Figure(name, unit, budget, note=f"not measured: {reason}")


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that `part` of all values do not exceed; NaN when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")
