"""What a pruner is asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from optuna.trial import FrozenTrial

from tuning_operator.search.curve import Curve, Standing


class Judged(Protocol):
    """A running trial."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def curve(self) -> Curve:
        """What it reported of the objective; maybe of later steps too than the one that is judged."""

    @property
    def rungs(self) -> Mapping[int, float]:
        """Its value at each rung that it has come to, by the rung's step."""


class Verdict(NamedTuple):
    """What becomes of a trial; it is stored before anybody hears of it, unless nothing changes."""

    prune: bool
    rungs: Mapping[int, float] = {}
    """Rungs that it has come to just now."""


PRUNE, GO_ON = Verdict(True), Verdict(False)


class TrialPruner(ABC):
    """Decides whether trials are worth going on; called on the event loop, so that it must be quick.

    Its memory consists of what it is told here, and is the same after a restart.
    """

    decides = True
    """Whether it ever prunes anything."""

    def add_complete(self, trial: FrozenTrial) -> None:  # noqa: B027 - most rules look at one kind of past only
        """Take a complete trial, once."""

    def add_rungs(self, number: int, rungs: Mapping[int, float]) -> None:  # noqa: B027 - few rules have rungs
        """Take rungs that a trial has come to, of any state, once."""

    def remove_rungs(self, number: int, rungs: Mapping[int, float]) -> None:  # noqa: B027 - few rules have rungs
        """Forget rungs that could not be stored."""

    def judge_runs(self, values: Mapping[int, float]) -> Verdict:
        """Return what becomes of a running trial of several runs when one of them is complete, by the values of those
        that are, by the run's number."""
        return GO_ON

    @abstractmethod
    def judge(self, trial: Judged, standing: Standing) -> Verdict:
        """Return what becomes of a running trial, at its largest step."""
