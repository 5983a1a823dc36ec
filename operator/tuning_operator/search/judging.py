"""Which running trials are not worth going on: decided as their values come in, stored before anybody hears of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from optuna.trial import FrozenTrial, TrialState

from tuning_operator.fault_points import Point, reach
from tuning_operator.ports import Clock
from tuning_operator.search.attributes import RUNGS, rungs, written_numbers
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.pruners import NoPruning, judge, take_back
from tuning_operator.search.report_rows import AttemptKey, ReportRows
from tuning_operator.search.storage import MirroredStorage
from tuning_operator.search.verdicts import TrialPruner, Verdict
from tuning_operator.search.writer import GroupCommit


class Judging:
    """Lets one study's pruner decide. Whoever asks about an open trial holds its lock."""

    def __init__(self, storage: MirroredStorage, reports_uid: str, writer: GroupCommit, clock: Clock) -> None:
        self._pruner: TrialPruner = NoPruning()
        self._storage = storage
        self._reports_uid = reports_uid
        self._writer = writer
        self._clock = clock

    def use(self, pruner: TrialPruner, trials: Iterable[FrozenTrial], running: Mapping[int, TrialProgress]) -> None:
        """Let another pruner decide from now on, which knows nothing of these trials yet; some of them are running."""
        self._pruner = pruner
        for trial in trials:
            progress = running.get(trial.number)
            pruner.add_rungs(trial.number, rungs(trial.user_attrs) if progress is None else progress.rungs)
            self.take_end(trial)

    def take_end(self, trial: FrozenTrial) -> None:
        """Take a trial whose rungs are known, once it has ended; nothing happens before."""
        if trial.state is TrialState.COMPLETE:
            self._pruner.add_complete(trial)

    def forget_rungs(self, trial: TrialProgress) -> None:
        """Forget the rungs of an open trial, for another one came to them."""
        self._pruner.remove_rungs(trial.number, trial.rungs)
        trial.rungs.clear()

    async def decide(self, trial: TrialProgress) -> tuple[float | None, bool]:
        """Decide whether to prune on values that came in; return how long it took, and whether it was decided now.

        The decision is stored before anybody hears of it, so that it is the same after a restart.
        """
        if not self._pruner.decides or not (trial.undecided or trial.undecided_runs) or trial.has_ended:
            trial.forget_undecided()
            return None, False
        start = time.perf_counter()
        verdict = judge(self._pruner, trial)
        seconds = time.perf_counter() - start
        if verdict.prune or verdict.rungs:
            try:
                await self._store(trial, verdict)
            except Exception:  # who is cancelled has written, as far as can be known
                take_back(self._pruner, trial, verdict)  # another one knows the rungs too by now
                raise
        trial.forget_undecided()
        return seconds, verdict.prune

    async def _store(self, trial: TrialProgress, verdict: Verdict) -> None:
        now, attrs = self._clock.now(), {RUNGS: written_numbers(trial.rungs)}
        rows = ReportRows()
        if verdict.rungs:
            rows.add_attrs(trial.trial_id, attrs)
        if verdict.prune:
            rows.add_prune_decision(AttemptKey(self._reports_uid, trial.number, trial.attempt), now)

        def accept() -> None:
            if verdict.rungs:
                self._storage.add_user_attrs(trial.trial_id, attrs)
            if verdict.prune:
                trial.accept_prune_decision(now)

        await self._writer.add(rows, accept)
        if verdict.prune:
            reach(Point.PRUNING_STORED)
