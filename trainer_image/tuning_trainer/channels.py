"""Where a trial's reports go: the port, and its two implementations that need no network."""

from __future__ import annotations

import sys
from typing import Protocol

from tuning_contract import Report, ReportReply, TrialEnd


class ReportChannel(Protocol):
    """What a trial needs of the way to its operator. No method but `flush` waits for anything."""

    @property
    def reply(self) -> ReportReply:
        """The newest answer; before the first one, that the trial should go on."""

    @property
    def ended(self) -> bool:
        """Whether `end` was called: nothing is accepted any more."""

    def report(self, report: Report) -> None:
        """Take a report; reports arrive in the order in which they were taken."""

    def end(self, end: TrialEnd) -> None:
        """Say how the trial ended, after all reports; the first end counts, later ones are ignored."""

    def flush(self, seconds: float) -> int:
        """Wait at most that long for everything taken so far; return the number of reports that did not arrive."""


class SilentReports:
    """Drops everything: the channel of the ranks that do not report."""

    def __init__(self) -> None:
        self.reply = ReportReply()
        self.ended = False

    def report(self, report: Report) -> None:
        del report

    def end(self, end: TrialEnd) -> None:
        del end
        self.ended = True

    def flush(self, seconds: float) -> int:
        del seconds
        return 0


class PrintedReports(SilentReports):
    """Writes one line a report to stderr: the channel outside a study."""

    def report(self, report: Report) -> None:
        sys.stderr.write(report_line(report) + "\n")


def report_line(report: Report) -> str:
    """Return a report as people read it, such as `step 3: val_accuracy=0.9712 val_loss=0.1`."""
    return f"step {report.step}: " + " ".join(f"{name}={value:.6g}" for name, value in report.values.items())
