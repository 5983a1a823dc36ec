"""The repository keeps the port's promises on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes import FakeClock
from tests.search.repository_suite import RepositorySuite
from tuning_operator.search import StudyRepositories


class DatabaseWorld:
    """Repositories on a database."""

    def __init__(self, url: str) -> None:
        self.clock = FakeClock()
        self._url = url
        self.repositories = StudyRepositories(url, self.clock)

    async def restart(self) -> None:
        """Open the database anew."""
        await self.repositories.aclose()
        self.repositories = StudyRepositories(self._url, self.clock)


class TestStudyRepository(RepositorySuite):
    """Runs the suite."""

    @pytest.fixture
    async def world(self, database_url: str) -> AsyncIterator[DatabaseWorld]:
        """Return repositories on an empty database."""
        world = DatabaseWorld(database_url)
        yield world
        await world.repositories.aclose()
