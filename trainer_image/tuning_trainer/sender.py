"""Delivers a trial's reports from a thread of its own, so that training never waits for the network."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from dataclasses import replace
from itertools import islice

from tuning_contract import Report, ReportBatch, ReportReply, TrialEnd
from tuning_contract.reports import MAX_BODY_BYTES, MAX_REPORTS_PER_BATCH
from tuning_trainer.backoff import Backoff
from tuning_trainer.channels import report_line
from tuning_trainer.endpoint import EndpointUnavailable, ReportEndpoint, RequestRefused

_log = logging.getLogger(__name__)


class ReportSender:
    """A channel to the operator: in order, each report until it is acknowledged or refused for good.

    One request is under way at a time; what is reported meanwhile goes out together with the next one. A report
    stays in memory until the operator, which answers after it made it durable, has acknowledged it; repeating a
    request is harmless, because the operator keeps the first value of a step.
    """

    def __init__(self, endpoint: ReportEndpoint, backoff: Backoff | None = None) -> None:
        self.reply = ReportReply()
        self._endpoint = endpoint
        self._backoff = backoff or Backoff()
        self._process = os.getpid()
        self._waiting: deque[Report] = deque()
        self._end: TrialEnd | None = None
        self._refused = 0
        self._done = False
        self._warned: set[str] = set()
        # Reentrant (Condition's default lock), because a signal handler may run inside report().
        self._changed = threading.Condition()
        # Started now: Python 3.12 and newer start no thread any more while the interpreter shuts down.
        threading.Thread(target=self._run, name="tuning-reports", daemon=True).start()

    @property
    def ended(self) -> bool:
        return self._end is not None

    def report(self, report: Report) -> None:
        if os.getpid() != self._process:
            raise RuntimeError("the trial was opened before this process was forked: report from its parent")
        _log.info("%s", report_line(report))
        with self._changed:
            self._waiting.append(report)
            self._changed.notify_all()

    def end(self, end: TrialEnd) -> None:
        with self._changed:
            if self._end is None:
                self._end = end
                self._changed.notify_all()

    def flush(self, seconds: float) -> int:
        with self._changed:
            self._changed.wait_for(self._is_delivered, timeout=seconds)
            return self._refused + len(self._waiting)

    def _is_delivered(self) -> bool:
        return self._done if self.ended else not self._waiting

    def _run(self) -> None:
        while not self._done:
            batch = self._next_batch()
            accepted = self._deliver(self._judgeable(batch))
            with self._changed:
                for _ in batch.reports:
                    self._waiting.popleft()
                self._refused += 0 if accepted else len(batch.reports)
                self._done = batch.end is not None
                self._changed.notify_all()
        self._endpoint.close()

    def _next_batch(self) -> ReportBatch:
        """Wait for something to send and return the longest batch that the wire format allows."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.ended)
            size = min(len(self._waiting), MAX_REPORTS_PER_BATCH)
            while True:
                end = self._end if size == len(self._waiting) else None
                batch = ReportBatch(tuple(islice(self._waiting, size)), end)
                if size <= 1 or len(batch.to_json()) <= MAX_BODY_BYTES:
                    return batch
                size //= 2

    def _judgeable(self, batch: ReportBatch) -> ReportBatch:
        """Leave the end out once a report was refused: the process exits with 75, and nobody judges the rest."""
        return replace(batch, end=None) if self._refused else batch

    def _deliver(self, batch: ReportBatch) -> bool:
        """Send a batch until the operator acknowledges it (true) or refuses it for good (false)."""
        if batch == ReportBatch():
            return True
        body = batch.to_json()
        for delay in self._backoff.delays():
            try:
                self.reply = self._endpoint.post(body)
            except RequestRefused as error:
                self._warn("The operator refused this trial's reports: %s", str(error))
                return False
            except EndpointUnavailable as error:
                self._warn("The operator does not take reports now, they will be sent again: %s", str(error))
                time.sleep(delay if error.retry_after is None else error.retry_after)
            else:
                return True
        raise AssertionError("a backoff never ends")

    def _warn(self, message: str, detail: str) -> None:
        """Log each sentence once: an outage of hours is one line."""
        if detail not in self._warned:
            self._warned.add(detail)
            _log.warning(message, detail)
