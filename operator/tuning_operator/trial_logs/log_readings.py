"""All logs that are being read: one task for each, and what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tuning_operator.api.retries import FailureClass
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.failure import Failure
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import TooManySteps, TuningError
from tuning_operator.ports import TrialRepository
from tuning_operator.trial_logs.trial_log import LogTaker, ReadingEnded, TrialLog

_log = logging.getLogger(__name__)

MOST_READ = 2_000
"""Logs that are read at once, each a connection; twice the running trials that one operator is built for. More wait
their turn: their lines are not lost, but seen late."""


@dataclass
class _Reading:
    log: TrialLog
    task: asyncio.Task[None]


@dataclass
class _Study:
    readings: dict[tuple[int, int], _Reading] = field(default_factory=dict)
    read: dict[tuple[int, int], Failure | None] = field(default_factory=dict)


class LogReadings:
    """Implements `TrialLogs`. `read_log` reads one log to its end, or raises what `TrialLog.report` raises."""

    def __init__(
        self,
        read_log: Callable[[TrialLog], Awaitable[None]],
        wake: Callable[[str], None],
        on_read: Callable[[int, int], None] = lambda _lines, _reports: None,
    ) -> None:
        self._read_log = read_log
        self._wake = wake
        self._on_read = on_read
        self._studies: dict[str, _Study] = {}
        self._places = asyncio.Semaphore(MOST_READ)
        self._parsing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="logs")
        self._leaving: set[asyncio.Task[None]] = set()

    def follow(self, study: StudyKey, spec: StudySpec, jobs: Collection[TrialJob], trials: TrialRepository) -> None:
        """Read the logs of these Jobs, and those of no others of the study any more."""
        logs = spec.trial.metrics.read_from_logs
        wanted = {(job.trial, job.attempt): job for job in jobs} if logs is not None else {}
        if logs is None or not wanted:
            self.forget(study)
            return
        known = self._studies.setdefault(study.uid, _Study())
        self._drop(known, known.readings.keys() - wanted.keys())
        known.read = {pair: why for pair, why in known.read.items() if pair in wanted}
        for pair, job in wanted.items():
            if pair not in known.readings:
                taker = LogTaker(trials, self._wake, self._on_read, self._parsing)
                log = TrialLog(study, job, spec, logs, taker)
                task = asyncio.create_task(self._read(log, known), name=f"log of {job.name}")
                known.readings[pair] = _Reading(log, task)
            if not job.is_active:
                known.readings[pair].log.ended.set()

    def read(self, study: StudyKey) -> Mapping[tuple[int, int], Failure | None]:
        """Return the logs that were read -> why not to their end; None: they were."""
        known = self._studies.get(study.uid)
        return dict(known.read) if known else {}

    def forget(self, study: StudyKey) -> None:
        """Read no log of a study any more."""
        known = self._studies.pop(study.uid, None)
        if known is not None:
            self._drop(known, set(known.readings))

    def halt(self) -> None:
        """Read nothing any more; what was read and not stored is read again by the next operator."""
        for known in self._studies.values():
            self._drop(known, set(known.readings))
        self._studies.clear()

    async def close(self) -> None:
        """Stop, and wait until everything has stopped."""
        self.halt()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        self._parsing.shutdown(wait=False, cancel_futures=True)

    def _drop(self, known: _Study, pairs: Collection[tuple[int, int]]) -> None:
        for pair in pairs:
            task = known.readings.pop(pair).task
            task.cancel()
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _read(self, log: TrialLog, known: _Study) -> None:
        failure: Failure | None = None
        try:
            async with self._places:
                await self._read_log(log)
        except ReadingEnded as end:
            _log.debug("the log of Job %s is read no further: %s", log.job.name, end, extra=log.fields)
        except TooManySteps as error:
            failure = FailureClass.TOO_MANY_STEPS, str(error)
        except TuningError as error:
            failure = FailureClass.LOG_LOST, str(error)
        except Exception:  # noqa: BLE001 - one study's log must not end unnoticed
            _log.exception("reading the log of Job %s met a defect", log.job.name, extra=log.fields)
            failure = FailureClass.LOG_LOST, "reading it met a defect of the operator, whose own log says more"
        known.read[log.job.trial, log.job.attempt] = failure
        self._wake(log.study.uid)
