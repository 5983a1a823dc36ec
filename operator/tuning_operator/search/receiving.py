"""What a trial's runs report, on its way: stored first, then judged, then answered."""

from __future__ import annotations

from functools import partial

from tuning_contract import ReportBatch, ReportReply
from tuning_operator.decisions.trials import EndState, FinishedTrial
from tuning_operator.fault_points import Defect, Point, has, reach, unwaited
from tuning_operator.ports import Clock, ReportAnswer
from tuning_operator.search.judging import Judging
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.report_rows import AttemptKey, ReportRows
from tuning_operator.search.run_progress import NewReports
from tuning_operator.search.writer import GroupCommit

SUPERSEDED = ReportAnswer(ReportReply(stop=True, reason="Superseded"), wake=False)
"""For an attempt that a newer one has followed."""


class Receiving:
    """Takes the reports of one study's open trials. Whoever calls holds the trial's lock."""

    def __init__(self, reports_uid: str, judging: Judging, writer: GroupCommit, clock: Clock) -> None:
        self._reports_uid = reports_uid
        self._judging = judging
        self._writer = writer
        self._clock = clock

    async def take(self, trial: TrialProgress, run: int, batch: ReportBatch, afresh: bool) -> ReportAnswer:
        """Store a batch of a run of the newest attempt, and decide whether the trial should stop.

        Raises
        ------
        TooManySteps
            There is no room for them.
        """
        if trial.runs[run].end is not None:
            return ReportAnswer(_reply(trial), wake=False)
        new = trial.sift(batch.reports, run=run, afresh=afresh)
        trial.check_room(new, run=run)
        is_first = bool(new.reports) and (afresh or not trial.has_reported)
        if new.reports or batch.end is not None:
            await self._store(trial, run, batch, new)
        seconds, pruned_now = await self._judging.decide(trial)
        has_values = any(new.values[objective.metric] for objective in trial.objectives)
        wake = is_first or batch.end is not None or pruned_now or (has_values and not trial.is_finite)
        return ReportAnswer(_reply(trial, ended=False), wake, seconds)

    async def _store(self, trial: TrialProgress, run: int, batch: ReportBatch, new: NewReports) -> None:
        now = self._clock.now()
        key = AttemptKey(self._reports_uid, trial.number, trial.attempt)
        rows = ReportRows()
        if new.afresh_from is not None:
            rows.forget_reports(key, run, new.afresh_from)
        rows.add_reports(key, run, new.reports, now)
        rows.add_values(trial.trial_id, *trial.changes(new, run=run))
        if batch.end is not None:
            rows.add_end(key, run, batch.end, now)
        storing = self._writer.add(rows, partial(_accept, trial, run, batch, new, now))
        await (unwaited(storing) if has(Defect.ACK_BEFORE_COMMIT) else storing)
        reach(Point.REPORTS_STORED)


def answer_of_finished(trial: FinishedTrial) -> ReportAnswer:
    """Return what a trial hears that reports after its end was told."""
    reason = "Pruned" if trial.state is EndState.PRUNED else "Ended"
    return ReportAnswer(ReportReply(stop=True, reason=reason), wake=False)


def _accept(trial: TrialProgress, run: int, batch: ReportBatch, new: NewReports, now: float) -> None:
    if new.reports:
        trial.accept(new, now, now, run=run)
    if batch.end is not None:
        trial.accept_end(batch.end, now, run=run)


def _reply(trial: TrialProgress, ended: bool = True) -> ReportReply:
    if trial.is_to_stop:
        return ReportReply(stop=True, reason="Pruned")
    if not trial.is_finite:
        return ReportReply(stop=True, reason="NotFinite")
    return ReportReply(stop=True, reason="Ended") if ended else ReportReply()
