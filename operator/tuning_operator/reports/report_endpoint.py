"""`POST …/attempts/{attempt}/reports`: what a trial reports, and whether it should stop.

An acknowledgement means that the reports are durable.
"""

from __future__ import annotations

import time

from aiohttp import web

from tuning_contract import ReportBatch, ReportReply
from tuning_operator.errors import StudyGone, TooManySteps
from tuning_operator.metrics.recording import Metrics
from tuning_operator.ports import ReportAnswer
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.reception import ATTEMPT_ROUTE, Reception, Wake, refused_by_history
from tuning_operator.reports.refusals import Reason, Refused

ROUTE = f"{ATTEMPT_ROUTE}/reports"

STUDY_GONE = "StudyGone"
"""Reason in the reply to a trial whose study was deleted."""


def report_url(base: str, uid: str, trial: int, attempt: int) -> str:
    """Return where an attempt reports, below the base URL of this server."""
    return f"{base.rstrip('/')}/v1/studies/{uid}/trials/{trial}/attempts/{attempt}/reports"


class ReportEndpoint:
    """Takes reports for all studies that this process has open."""

    def __init__(self, reception: Reception, wake: Wake, metrics: Metrics) -> None:
        self._reception = reception
        self._wake = wake
        self._metrics = metrics

    async def receive(self, request: web.Request) -> web.Response:
        """Serve one POST."""
        return await self._reception.serve(request, self._take)

    async def _take(self, attempt: AttemptAddress, body: bytes) -> bytes:
        received = time.perf_counter()
        batch = ReportBatch.from_json(body)
        answer = await self._store(attempt, batch)
        self._metrics.reports_acknowledged(time.perf_counter() - received, len(batch.reports), answer.decision_seconds)
        if answer.wake:
            self._wake(attempt.uid)
        return answer.reply.to_json()

    async def _store(self, attempt: AttemptAddress, batch: ReportBatch) -> ReportAnswer:
        repository = self._reception.repository(attempt)
        if repository is None:
            return _stop()
        try:
            with refused_by_history("the reports"):
                return await repository.report(attempt.trial, attempt.attempt, batch, run=attempt.run)
        except TooManySteps as error:
            raise Refused(400, Reason.TOO_MANY, str(error)) from error
        except StudyGone:
            return _stop()


def _stop() -> ReportAnswer:
    return ReportAnswer(ReportReply(stop=True, reason=STUDY_GONE), wake=False)
