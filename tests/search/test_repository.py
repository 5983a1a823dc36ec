"""The repository keeps the port's promises on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.search.repository_suite import RepositorySuite
from tests.search.runs_suite import StoredRunsSuite
from tests.search.worlds import DatabaseWorld


class TestStudyRepository(RepositorySuite, StoredRunsSuite):
    """Runs the suite."""

    @pytest.fixture
    async def world(self, database_url: str) -> AsyncIterator[DatabaseWorld]:
        """Return repositories on an empty database."""
        world = DatabaseWorld(database_url)
        yield world
        await world.repositories.aclose()
