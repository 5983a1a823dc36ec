"""Events in memory."""

from __future__ import annotations

from dataclasses import dataclass

from tuning_operator.decisions.snapshot import StudyKey


@dataclass(frozen=True)
class RecordedEvent:
    """What was announced."""

    study: StudyKey
    warning: bool
    reason: str
    message: str


class FakeEventRecorder:
    """Implements `EventRecorder`."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []

    def record(self, study: StudyKey, *, warning: bool, reason: str, message: str) -> None:
        """Keep the Event."""
        self.events.append(RecordedEvent(study, warning, reason, message))

    @property
    def reasons(self) -> list[str]:
        """The Events' reasons, in order."""
        return [event.reason for event in self.events]
