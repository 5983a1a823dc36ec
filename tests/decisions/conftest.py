from __future__ import annotations

import os

import pytest


@pytest.fixture
def update_golden() -> bool:
    """Whether golden files are rewritten instead of compared: `UPDATE_GOLDEN=1 pytest`."""
    return os.environ.get("UPDATE_GOLDEN") == "1"
