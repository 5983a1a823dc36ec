"""A log to the reports that its trial would have sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tuning_contract.reports import MAX_METRICS_PER_REPORT, MAX_STEP, Report
from tuning_operator.api.trial_metrics import LogMetrics
from tuning_operator.ports import StoredReport
from tuning_operator.trial_logs.lines import LogLine, LogLines
from tuning_operator.trial_logs.numbers import line_reader


@dataclass(frozen=True)
class Anchor:
    """The last line that a report was made of: where to go on after a stream broke off, or the operator ended.

    A log can't be counted from its beginning again, for that may have been rotated away.
    """

    step: int = 0
    """The largest reported step."""
    time: float = float("-inf")
    """When the line was written, in seconds since 1970."""
    same_time: int = 0
    """How many of the reports were made of lines of this very time."""

    @classmethod
    def of(cls, stored: Iterable[StoredReport]) -> Anchor:
        """Return the anchor of what an attempt has reported; the time of a report is that of its line."""
        reports = list(stored)
        if not reports:
            return cls()
        newest = max(report.time for report in reports)
        same_time = sum(report.time == newest for report in reports)
        return cls(max(report.step for report in reports), newest, same_time)

    def after(self, report: Report) -> Anchor:
        """Return the anchor with one report more."""
        if report.time is None:
            return replace(self, step=max(self.step, report.step))
        same_time = self.same_time + 1 if report.time == self.time else 1
        return Anchor(max(self.step, report.step), report.time, same_time)


class LogParser:
    """Makes a report of each line that has the first objective, with all metrics that were printed since the last one.

    The log must have been opened at `anchor.time` or before. The step is the number that the log names so, else it is
    counted; either way the same log gives the same reports, however often it is read.
    """

    def __init__(
        self, logs: LogMetrics, objective: str, *others: str, anchor: Anchor | None = None, stamped: bool
    ) -> None:
        """`others` are metrics that count too: there is room for them however many are printed."""
        self.anchor = anchor or Anchor()
        """After the last report that was made."""
        self.lines = 0
        """How many lines were read."""
        self._objective = objective
        self._wanted = frozenset((objective, *others))
        self._step_name = logs.step
        self._read = line_reader(logs)
        self._log_lines = LogLines(stamped=stamped)
        self._passed = 0 if self.anchor.same_time else None
        """How many lines of the anchor's time were seen again; None: the anchor is passed."""
        self._pending: dict[str, float] = {}
        """Metrics that were printed since the last report."""
        self._step = self.anchor.step
        """The step that the log named last."""

    @property
    def complaint(self) -> str:
        """What came instead of a log."""
        return self._log_lines.complaint

    def feed(self, chunk: bytes) -> list[Report]:
        """Return the reports of the lines that end in a chunk of any length."""
        return list(self._reports(self._log_lines.feed(chunk)))

    def close(self) -> list[Report]:
        """Return the reports that are left at the log's end; the last may lack the objective, for people to see."""
        reports = list(self._reports(self._log_lines.close()))
        if self._pending:
            reports.append(self._report(None))
        return reports

    def _reports(self, lines: Iterable[LogLine]) -> Iterator[Report]:
        for line in lines:
            self.lines += 1
            numbers = self._read(line.text)
            if numbers and self._is_new(line, numbers):
                self._take(numbers)
                if self._objective in numbers:
                    yield self._report(line.time)

    def _is_new(self, line: LogLine, numbers: dict[str, float]) -> bool:
        """Return whether a line comes after the anchor's in the log."""
        if self._passed is None:
            return True
        time = line.time
        if time is None or time > self.anchor.time:
            self._passed = None
            return True
        if time == self.anchor.time and self._objective in numbers:
            self._passed += 1
            if self._passed == self.anchor.same_time:
                self._passed = None
        return False

    def _take(self, numbers: dict[str, float]) -> None:
        if self._step_name is not None:
            step = numbers.pop(self._step_name, None)
            if step is not None and step.is_integer() and 0 <= step <= MAX_STEP and step != self._step:
                self._step = int(step)
                self._pending.clear()
        for name, number in numbers.items():
            room = len(self._pending) < MAX_METRICS_PER_REPORT - len(self._wanted)
            if name in self._wanted or name in self._pending or room:
                self._pending[name] = number

    def _report(self, time: float | None) -> Report:
        step = self.anchor.step + 1 if self._step_name is None else self._step
        report = Report(step, self._pending, time)
        self._pending = {}
        self.anchor = self.anchor.after(report)
        return report
