"""What a strategy sees, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import numpy as np

from tuning_contract.environment import ParameterValue
from tuning_operator.decisions.trials import EndState, Lineage

Stored = Mapping[str, ParameterValue]
"""Parameters as Optuna stores them."""


@dataclass(frozen=True)
class PastTrial:
    """A trial that was asked for."""

    number: int
    parameters: Stored
    lineage: Lineage
    state: EndState | None = None
    """None: it is open."""
    scores: Sequence[float] = ()
    """What it was worth after each step that it reported, the larger the better; only once it has ended."""
    score: float | None = None
    """What it is worth, the larger the better; None: it is not complete."""
    violation: float = 0.0
    """By how much its metrics are beyond their bounds, all added up; 0: it keeps them."""


@dataclass(frozen=True)
class Proposal:
    """A trial to start."""

    lineage: Lineage
    parameters: Stored = field(default_factory=dict)
    """What of them is given; the others are drawn at random."""
    configuration: int | None = None
    """Which of the study's new configurations it is, from 0: the enqueued ones come first. None: none of them."""


class Nothing(Enum):
    """Why there is no trial to start."""

    WAIT = "Wait"
    """Until another trial has ended. An answer only while one is open."""
    FINISHED = "Finished"
    """None will come any more."""


Answer = Proposal | Nothing


class Strategy(Protocol):
    """Proposes a study's trials, one after the other."""

    def next(self, trials: Sequence[PastTrial], random: np.random.Generator) -> Answer:
        """Return the next trial to start, given all trials by number.

        Trials of another search may be among them, where an earlier history was resumed: their lineage is empty.
        """
