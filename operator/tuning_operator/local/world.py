"""The ports of a local run that are not processes: status and Events for whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuning_operator.api.status import StudyStatus, read_status
from tuning_operator.decisions.events import Announcement
from tuning_operator.decisions.snapshot import StudyKey


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
