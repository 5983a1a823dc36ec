"""Histories that can be found only while this operator is the active one."""

from __future__ import annotations

from collections.abc import Callable

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.ports import TrialRepositories, TrialRepository


class ActiveRepositories:
    """Implements `TrialRepositories` for the report endpoint, which answers 503 where nothing is found.

    A process that was paused for longer than its Lease lasts must not acknowledge reports any more.
    """

    def __init__(self, repositories: TrialRepositories, is_active: Callable[[], bool]) -> None:
        self._repositories = repositories
        self._is_active = is_active

    def find(self, uid: str) -> TrialRepository | None:
        """Return an open study's repository, None on a standby."""
        return self._repositories.find(uid) if self._is_active() else None

    async def open(self, study: StudyKey, spec: StudySpec, resume: str = "") -> TrialRepository:
        """Load or create a study's history."""
        return await self._repositories.open(study, spec, resume)

    async def close(self, uid: str) -> None:
        """Forget a study's history in memory."""
        await self._repositories.close(uid)

    async def secret_key(self) -> bytes:
        """Return the key that credentials are derived from."""
        return await self._repositories.secret_key()
