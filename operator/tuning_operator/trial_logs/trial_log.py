"""The log of one attempt, as whoever reads it sees it: where to begin, and where its reports go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from tuning_contract.reports import MAX_REPORTS_PER_BATCH, Report, ReportBatch
from tuning_operator.api.study import StudySpec
from tuning_operator.api.trial_metrics import LogMetrics
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import NotFound, StorageUnavailable, TuningError
from tuning_operator.ports import TrialRepository
from tuning_operator.trial_logs.parser import Anchor, LogParser

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

STORAGE_PAUSE = 2.0
"""Seconds until reports are stored again after the database did not answer."""
_SMALL = 2048
"""Bytes that are parsed at once; more would keep the event loop from other studies, and are parsed in the thread."""


class LogLost(TuningError):
    """A log can't be read to its end: its trial must not be judged by a part."""


class ReadingEnded(TuningError):
    """Nobody wants to know more of this log: its trial is to stop, has ended, or has a newer attempt."""


@dataclass(frozen=True)
class LogTaker:
    """Who gets what a study's logs say."""

    trials: TrialRepository
    wake: Callable[[str], None]
    """Told the uid of a study that should be looked at now."""
    on_read: Callable[[int, int], None]
    """Told how many lines were read, and how many reports were made of them."""
    parsing: Executor
    """The one thread in which long parts of all logs are parsed, so that a flood of lines takes no more than that."""


class TrialLog:
    """One attempt's log. It may be opened any number of times: what was reported before is not reported twice."""

    def __init__(self, study: StudyKey, job: TrialJob, spec: StudySpec, logs: LogMetrics, taker: LogTaker) -> None:
        self.study = study
        self.job = job
        self.template = spec.trial.template
        self.taker = taker
        self.ended = asyncio.Event()
        """Set once its container has ended: what is written then is all."""
        self._logs = logs
        self._metrics = spec.measured
        self._anchor: Anchor | None = None

    @property
    def fields(self) -> dict[str, object]:
        """What a line in the operator's log says of whom it is about."""
        return {"namespace": self.study.namespace, "study": self.study.name, "trial": self.job.trial}

    async def open(self, *, stamped: bool, began: float = float("-inf")) -> OpenLog:
        """Begin where the last reading ended, be it this process's or one before.

        `began` is when the log's container started, in seconds since 1970: what was reported of an earlier one of the
        same attempt says nothing of where to begin in this log, and gives way to what this one prints.
        """
        if self._anchor is None:
            read = partial(asyncio.to_thread, self.taker.trials.reports, self.job.trial)
            stored = await self._patiently(read)
            self._anchor = Anchor.of(report for report in stored if report.attempt == self.job.attempt)
        is_of_this_one = self._anchor.time >= began
        anchor = self._anchor if is_of_this_one else Anchor()
        afresh = not is_of_this_one and self._anchor.same_time > 0
        return OpenLog(self, LogParser(self._logs, *self._metrics, anchor=anchor, stamped=stamped), anchor, afresh)

    async def report(self, reports: Sequence[Report], anchor: Anchor, afresh: bool) -> None:
        """Store reports, however long that takes; `afresh`: they are the first that a container printed.

        Raises
        ------
        ReadingEnded
            The trial needs no further reports.
        TooManySteps
            It has more of them than are kept.
        """
        for start in range(0, len(reports), MAX_REPORTS_PER_BATCH):
            batch = ReportBatch(tuple(reports[start : start + MAX_REPORTS_PER_BATCH]))
            await self._store(batch, afresh and start == 0)
        self._anchor = anchor

    async def _store(self, batch: ReportBatch, afresh: bool) -> None:
        report = partial(self.taker.trials.report, self.job.trial, self.job.attempt, batch, afresh=afresh)
        try:
            answer = await self._patiently(report)
        except NotFound as error:
            raise ReadingEnded(str(error)) from error
        if answer.wake:
            self.taker.wake(self.study.uid)
        if answer.reply.stop:
            raise ReadingEnded(f"trial {self.job.trial} is to stop: {answer.reply.reason}")

    async def _patiently(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Repeat what needs the database until it succeeds: the log is kept meanwhile where it is."""
        while True:
            try:
                return await step()
            except StorageUnavailable as error:
                _log.warning("what trial %d printed waits: %s", self.job.trial, error, extra=self.fields)
            await asyncio.sleep(STORAGE_PAUSE)


class OpenLog:
    """A log that is being read, from its anchor on."""

    def __init__(self, log: TrialLog, parser: LogParser, anchor: Anchor, afresh: bool) -> None:
        self._log = log
        self._parser = parser
        self._afresh = afresh
        """Whether the container has printed nothing yet that was reported."""
        self.since = anchor.time if anchor.same_time else None
        """When the first line was written that is needed, in seconds since 1970; None: the log is needed from its
        beginning."""

    @property
    def complaint(self) -> str:
        """What came instead of a log; empty if nothing did."""
        return self._parser.complaint

    async def feed(self, chunk: bytes) -> None:
        """Take in a part of the log; raises what `TrialLog.report` raises."""
        before = self._parser.lines
        if len(chunk) <= _SMALL:
            reports = self._parser.feed(chunk)
        else:
            loop = asyncio.get_running_loop()
            reports = await loop.run_in_executor(self._log.taker.parsing, self._parser.feed, chunk)
        await self._report(reports, self._parser.lines - before)

    async def close(self) -> None:
        """Take note that this was the whole log; raises what `TrialLog.report` raises."""
        before = self._parser.lines
        await self._report(self._parser.close(), self._parser.lines - before)

    async def _report(self, reports: Sequence[Report], lines: int) -> None:
        self._log.taker.on_read(lines, len(reports))
        if reports:
            await self._log.report(reports, self._parser.anchor, self._afresh)
            self._afresh = False
