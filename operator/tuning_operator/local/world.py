"""The ports of a local run that are not processes: status and Events for whoever watches, and the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from tuning_operator.api.status import StudyStatus, read_status
from tuning_operator.decisions.events import Announcement
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.reports.credentials import read_token, report_token
from tuning_operator.reports.report_endpoint import report_url


class SystemClock:
    """Implements `Clock`."""

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()


class LocalStatus:
    """Implements `StudyStatusWriter`: keeps the newest status."""

    def __init__(self, on_change: Callable[[StudyStatus], None]) -> None:
        self.latest = StudyStatus()
        self._on_change = on_change

    async def write(self, study: StudyKey, status: Mapping[str, Any]) -> None:
        """Keep the status and tell of it."""
        self.latest = read_status(status)
        self._on_change(self.latest)


class LocalEvents:
    """Implements `EventRecorder`."""

    def __init__(self, on_event: Callable[[Announcement], None]) -> None:
        self._on_event = on_event

    def record(self, study: StudyKey, *, warning: bool, reason: str, message: str) -> None:
        """Tell of the Event."""
        self._on_event(Announcement(warning, reason, message))


class LocalAddresses:
    """Implements `Addresses` for an endpoint on this machine."""

    def __init__(self, base_url: str, key: bytes) -> None:
        self._base_url = base_url
        self._key = key

    def report_url(self, study: StudyKey, trial: int, attempt: int) -> str:
        """Return where the attempt reports to."""
        return report_url(self._base_url, study.uid, trial, attempt)

    def report_token(self, study: StudyKey, trial: int, attempt: int) -> str:
        """Return the attempt's credential."""
        return report_token(self._key, study.uid, trial, attempt)

    def read_token(self, study: StudyKey) -> str:
        """Return the read API's credential."""
        return read_token(self._key, study.uid)
