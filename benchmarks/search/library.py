"""Optuna as a searcher, as its users drive it with ask and tell from memory."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

import optuna
from optuna.trial import TrialState

from benchmarks.search.cells import TWIN, WITHOUT_PRUNER, Cell
from benchmarks.search.functions import Function
from benchmarks.search.methods import PRUNERS, SAMPLERS
from benchmarks.search.simulation import Proposal, Values
from benchmarks.search.training import Reporting
from tests.fakes import FakeClock
from tuning_operator.api.parameters import Parameter
from tuning_operator.search.seeds import reseed
from tuning_operator.search.space import Space


class Library:
    """Implements `Searcher`."""

    def __init__(self, cell: Cell, function: Function) -> None:
        self.clock = FakeClock()
        make_pruner = None if cell.pruner == WITHOUT_PRUNER else PRUNERS[cell.pruner].library
        self._study = optuna.create_study(
            # Hyperband draws the brackets from the name; this project from the seed.
            study_name=f"{cell.seed}" if cell.side == TWIN else f"study {cell.seed}",
            sampler=SAMPLERS[cell.sampler].library(cell.seed, function),
            pruner=None if make_pruner is None else make_pruner(function),
            directions=["minimize"] * (1 if function.second is None else 2),
        )
        self._cell = cell
        self._space = Space([Parameter.model_validate(parameter) for parameter in function.parameters])
        self._trials: list[optuna.Trial] = []
        self._folds: dict[int, list[float]] = defaultdict(list)
        """What each trial that did not come to its end has reported."""

    async def begin(self) -> Sequence[Proposal]:
        """Ask for as many trials as run at a time."""
        return self._ask(min(self._cell.parallelism, self._cell.evaluations))

    async def report(self, number: int, step: int, values: Values) -> bool:
        """Report, and ask the pruner."""
        trial = self._trials[number]
        trial.report(values[0], step)
        self._folds[number].append(values[0])
        return bool(trial.should_prune())

    async def end(self, number: int, step: int, values: Values, result: Values | None) -> Sequence[Proposal]:
        """Tell, and ask for the next trial."""
        trial = self._trials[number]
        if result is not None and self._cell.pruner != WITHOUT_PRUNER:
            trial.report(values[0], step)
        # GridSampler ends `optimize` so, which nobody called.
        with contextlib.suppress(RuntimeError):
            if result is not None:
                self._study.tell(trial, result)
            elif self._cell.reporting is Reporting.FOLDS:  # as Optuna's documentation of its pruner advises
                self._study.tell(trial, fmean(self._folds[number]))
            else:
                self._study.tell(trial, state=TrialState.PRUNED)
        return self._ask(1)

    def _ask(self, count: int) -> Sequence[Proposal]:
        proposals = []
        for _ in range(min(count, self._cell.evaluations - len(self._trials))):
            if self._cell.side == TWIN:
                reseed(self._study.sampler, self._cell.seed, len(self._trials))
            trial = self._study.ask()
            self._trials.append(trial)
            proposals.append(Proposal(trial.number, self._space.typed(self._space.choose(trial._suggest))))
        return proposals
