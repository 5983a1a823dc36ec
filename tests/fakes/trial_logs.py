"""Logs that are read when a test says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.failure import Failure
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.ports import TrialRepository


class FakeTrialLogs:
    """Implements `TrialLogs`."""

    def __init__(self) -> None:
        self.followed: dict[str, list[tuple[int, int]]] = {}
        """(trial, attempt) of the logs that are to be read, by the study's uid."""
        self.halted = False
        self._read: dict[tuple[int, int], Failure | None] = {}

    def follow(self, study: StudyKey, spec: StudySpec, jobs: Collection[TrialJob], trials: TrialRepository) -> None:
        """Note what is to be read."""
        self.followed[study.uid] = sorted((job.trial, job.attempt) for job in jobs)
        self._read = {pair: failure for pair, failure in self._read.items() if pair in self.followed[study.uid]}

    def read(self, study: StudyKey) -> Mapping[tuple[int, int], Failure | None]:
        """Return what `finish` said."""
        return dict(self._read)

    def forget(self, study: StudyKey) -> None:
        """Follow nothing of the study."""
        self.followed.pop(study.uid, None)

    def halt(self) -> None:
        """Follow nothing."""
        self.halted = True
        self.followed.clear()

    async def close(self) -> None:
        """Follow nothing."""
        self.halt()

    def finish(self, trial: int, attempt: int = 1, failure: Failure | None = None) -> None:
        """Let a log have been read, to its end unless there is a reason why not."""
        self._read[trial, attempt] = failure
