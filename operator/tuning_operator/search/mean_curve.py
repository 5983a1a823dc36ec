"""The first objective of a trial with several runs: by step, the mean over the runs that have reported it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tuning_operator.api.study import Objective
from tuning_operator.decisions.run_values import mean_of
from tuning_operator.search.curve import Curve, Standing
from tuning_operator.search.run_progress import NewReports, RunProgress


class MeanCurve:
    """Follows the runs of a trial.

    Pruners see a step once all runs have come to it or have ended: the mean of some would compare one trial's lucky
    runs with all runs of another.
    """

    def __init__(self, objective: Objective, runs: Sequence[RunProgress]) -> None:
        self._metric = objective.metric
        self._runs = runs
        self.judged = Curve(objective)
        """The mean at the steps that pruners may look at."""
        self._judged_until = -1
        """The largest step that all runs have come to, or will not any more."""

    def values(self) -> dict[int, float]:
        """Return the mean by step, of all steps that any run has reported."""
        steps = sorted(set().union(*(run.curve.steps for run in self._runs)))
        return {step: mean_of(self._at(step, self._runs)) for step in steps}

    def changes(self, run: RunProgress, new: NewReports) -> tuple[dict[int, float], list[int]]:
        """Return what reports of a run, still to be taken, change: the new means, and the steps whose old ones go."""
        mine, others = new.values[self._metric], [other for other in self._runs if other is not run]
        values, stale = {}, []
        for step in {*mine, *new.stale_steps}:
            if self._at(step, self._runs):
                stale.append(step)
            if found := self._at(step, others) + ([mine[step]] if step in mine else []):
                values[step] = mean_of(found)
        return values, stale

    def advance(self, changed: Collection[int] = ()) -> list[Standing]:
        """Follow what the runs have reported at some steps, or that one ended; return what pruners are to judge by."""
        before, until = self._judged_until, self._come_to()
        self._judged_until = until
        gone = [step for step in self.judged.steps if step > until] if until < before else []
        gone += [step for step in changed if step <= until and self.judged.at(step) is not None]
        if gone:
            self.judged.remove(gone)
        due = {step for step in changed if step <= until}
        due.update(*(run.curve.steps_between(before, until) for run in self._runs))
        standings = []
        for step in sorted(due):
            if found := self._at(step, self._runs):
                self.judged.add({step: mean_of(found)})
                standings.append(self.judged.standing)
        return [standing for standing in standings if standing is not None]

    def _come_to(self) -> int:
        """Return the largest step up to which no value is to be expected any more; -1: there is none."""
        going_on = [run for run in self._runs if run.end is None]
        steps = [-1 if run.curve.last_step is None else run.curve.last_step for run in going_on or self._runs]
        return min(steps) if going_on else max(steps)

    def _at(self, step: int, runs: Iterable[RunProgress]) -> list[float]:
        values = (run.curve.at(step) for run in runs)
        return [value for value in values if value is not None]
