"""Statuses in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import StudyGone


class FakeStudyStatusWriter:
    """Implements `StudyStatusWriter`."""

    def __init__(self) -> None:
        self.written: list[tuple[StudyKey, dict[str, Any]]] = []
        """Every status that was written, in order."""
        self._gone: set[str] = set()
        self._errors: list[Exception] = []

    async def write(self, study: StudyKey, status: Mapping[str, Any]) -> None:
        """Keep the status."""
        if self._errors:
            raise self._errors.pop(0)
        if study.uid in self._gone:
            raise StudyGone(f"the study {study} was deleted")
        self.written.append((study, copy.deepcopy(dict(status))))

    def latest(self, study: StudyKey) -> dict[str, Any]:
        """Return the status that was written last; empty when there was none."""
        return next((status for key, status in reversed(self.written) if key.uid == study.uid), {})

    def delete(self, study: StudyKey) -> None:
        """Let the study be gone."""
        self._gone.add(study.uid)

    def fail_next(self, *errors: Exception) -> None:
        """Let the next writes raise these, one each."""
        self._errors.extend(errors)
