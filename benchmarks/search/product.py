"""This project as a searcher: its engine and decisions on its repository in SQLite; only the cluster is a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.search.cells import WITHOUT_PRUNER, Cell
from benchmarks.search.functions import Function
from benchmarks.search.methods import POPULATIONS, PRUNERS, SAMPLERS
from benchmarks.search.simulation import Proposal, Values
from benchmarks.search.training import FOLDS, Reporting
from tests.builders import STUDY, trial_fields
from tests.engine.world import EngineInAWorld
from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_operator.api.names import job_name
from tuning_operator.search.repositories import StudyRepositories
from tuning_operator.search.repository import StudyRepository

METRICS = ("loss", "cost")


class Product:
    """Implements `Searcher`: what pods and the API server would say is said here."""

    def __init__(self, world: EngineInAWorld, trials: StudyRepository, *, has_folds: bool) -> None:
        self.clock = world.clock
        self._world = world
        self._trials = trials
        self._has_folds = has_folds
        self._started = 0

    async def begin(self) -> Sequence[Proposal]:
        """Let the engine start the first Jobs."""
        return await self._step()

    async def report(self, number: int, step: int, values: Values) -> bool:
        """Report as the SDK does."""
        if self._has_folds:
            await self._end_fold(number, step, values)
            return any(trial.number == number and trial.has_stopped for trial in self._trials.history().open)
        answer = await self._trials.report(number, 1, ReportBatch((_report(step, values),)))
        return answer.reply.stop

    async def end(self, number: int, step: int, values: Values, result: Values | None) -> Sequence[Proposal]:
        """Send the SDK's last message, let the Job finish, and let the engine start what follows."""
        if self._has_folds and result is None:
            return await self._step()  # no fold runs that could say anything, and the engine deletes the Job
        if self._has_folds:
            await self._end_fold(number, step, values)
        else:
            last = () if result is None else (_report(step, values),)
            state = FinalState.PRUNED if result is None else FinalState.COMPLETE
            await self._trials.report(number, 1, ReportBatch(last, TrialEnd(state)))
        self._world.jobs.finish(_job(number))
        proposals = await self._step()
        self._world.jobs.remove(_job(number))
        return proposals

    async def _end_fold(self, number: int, step: int, values: Values) -> None:
        """Let a fold report its value and end; the steps of its trial are its folds."""
        batch = ReportBatch((_report(1, values),), TrialEnd(FinalState.COMPLETE))
        await self._trials.report(number, 1, batch, run=step - 1)

    async def _step(self) -> Sequence[Proposal]:
        """Let the engine step until its slots are full, for a slow sampler gives some trials at a time."""
        proposals: list[Proposal] = []
        while True:
            due = await self._world.engine.step(self._world.resource, self._trials, self.clock.now())
            await self._world.engine.settle()
            known = self._trials.history()
            new = [trial for trial in known.open if trial.number >= self._started]
            self._started += len(new)
            for trial in new:
                self._world.jobs.start(_job(trial.number))
                lineage = trial.lineage
                proposals.append(Proposal(trial.number, trial.parameters, lineage.source, lineage.budget))
            spec = self._world.resource.spec
            full = len(known.open) >= spec.parallelism or known.total >= spec.max_trials or known.exhausted
            looks_again = due is not None and due <= self.clock.now()
            if full or not (new or looks_again):
                return proposals


def _report(step: int, values: Values) -> Report:
    return Report(step, dict(zip(METRICS, values, strict=False)))


def _job(number: int) -> str:
    return job_name(STUDY.name, STUDY.uid, number, 1)


@asynccontextmanager
async def product(cell: Cell, function: Function) -> AsyncIterator[Product]:
    """Open a study of this project in an empty database."""
    with TemporaryDirectory() as folder:
        world = EngineInAWorld(**study_fields(cell, function))
        repositories = StudyRepositories(f"sqlite:///{Path(folder) / 'tuning.db'}", world.clock)
        try:
            trials = await repositories.open(STUDY, world.resource.spec)
            yield Product(world, trials, has_folds=cell.reporting is Reporting.FOLDS)
        finally:
            await repositories.aclose()


def study_fields(cell: Cell, function: Function) -> dict[str, Any]:
    """Return the fields of the study's spec that matter here."""
    metrics = METRICS[:1] if function.second is None else METRICS
    folds = {"folds": FOLDS, "parallelRuns": 1} if cell.reporting is Reporting.FOLDS else {}
    return {
        "objectives": [{"metric": metric, "direction": "Minimize"} for metric in metrics],
        "parameters": [dict(parameter) for parameter in function.parameters],
        "search": {"seed": cell.seed, **_methods(cell, function)},
        "maxTrials": cell.evaluations,
        "parallelism": cell.parallelism,
        "trial": trial_fields(checkpoints={"claimName": "checkpoints"}, **folds),
    }


def _methods(cell: Cell, function: Function) -> dict[str, object]:
    sampler = {"name": cell.sampler, "options": dict(SAMPLERS[cell.sampler].options(function))}
    if cell.pruner == WITHOUT_PRUNER:
        return {"sampler": sampler}
    if cell.pruner in POPULATIONS:
        return {"sampler": {"name": cell.pruner, "options": POPULATIONS[cell.pruner].options}}
    pruning = PRUNERS[cell.pruner]
    pruner = {"name": cell.pruner.partition(",")[0], "options": dict(pruning.options(function))}
    return {"sampler": pruner} if pruning.library is None else {"sampler": sampler, "pruner": pruner}
