"""The mirror keeps Optuna's own obligations of a storage."""

from __future__ import annotations

import pytest
from optuna.testing.pytest_storages import StorageTestCase

from tuning_operator.search.database import Database
from tuning_operator.search.storage import MirroredStorage


class TestMirroredStorage(StorageTestCase):
    """Runs Optuna's suite."""

    @pytest.fixture
    def storage(self, database: Database) -> MirroredStorage:
        """Return an empty mirror."""
        return MirroredStorage(database)
