"""Trials that report at a steady rate, as the SDK does: in order, and each report until it is acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tuning_contract import Report, ReportBatch
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.reports.credentials import report_token
from tuning_operator.reports.report_endpoint import report_url
from tuning_trainer.backoff import Backoff
from tuning_trainer.endpoint import EndpointUnavailable, ReportEndpoint

_REQUEST_SECONDS = 3.0
"""How long a request may take; the SDK waits for 30 s, and then does the same."""


@dataclass(frozen=True)
class Acknowledged:
    """A report that was answered 200."""

    trial: int
    step: int
    due: float
    """When it was made (monotonic, in seconds)."""
    at: float
    """When the answer came."""


class Reporters:
    """A thread for each trial; a context manager that stops them and waits until everything is acknowledged."""

    def __init__(
        self, base_url: str, key: bytes, study: StudyKey, trials: Sequence[int], rate: float, first_step: int
    ) -> None:
        self.acknowledged: list[Acknowledged] = []
        self._first_step = first_step
        self._interval = len(trials) / rate
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._report, args=(base_url, key, study, trial, index / rate), daemon=True)
            for index, trial in enumerate(trials)
        ]

    def __enter__(self) -> Reporters:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Make no more reports, and wait until all are acknowledged."""
        self._stopping.set()
        deadline = time.monotonic() + 120
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def longest_gap(self) -> float:
        """Return the most seconds in which no report was acknowledged."""
        times = sorted({report.at for report in self.acknowledged})
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)

    def waits(self) -> list[float]:
        """Return for how many seconds each report waited for its acknowledgement."""
        return [report.at - report.due for report in self.acknowledged]

    def _report(self, base_url: str, key: bytes, study: StudyKey, trial: int, delay: float) -> None:
        url, token = report_url(base_url, study.uid, trial, 1), report_token(key, study.uid, trial, 1)
        endpoint = ReportEndpoint(url, token, timeout=_REQUEST_SECONDS)
        start, step = time.monotonic() + delay, 0
        while not self._stopping.wait(max(0.0, start + step * self._interval - time.monotonic())):
            due = int((time.monotonic() - start) / self._interval) + 1
            steps = range(step, max(due, step + 1))
            self._deliver(endpoint, trial, [(self._first_step + each, start + each * self._interval) for each in steps])
            step = steps.stop
        endpoint.close()

    def _deliver(self, endpoint: ReportEndpoint, trial: int, steps: Sequence[tuple[int, float]]) -> None:
        body = ReportBatch(tuple(Report(step, {"accuracy": 0.5}) for step, _ in steps)).to_json()
        for delay in Backoff().delays():
            try:
                endpoint.post(body)
            except EndpointUnavailable as error:
                time.sleep(delay if error.retry_after is None else error.retry_after)
            else:
                now = time.monotonic()
                self.acknowledged += [Acknowledged(trial, step, due, now) for step, due in steps]
                return
