"""Loads the fixtures that all test folders share."""

import os

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.fixtures"]

SLOW = ("control_plane", "training")
"""Markers of tests that take seconds."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the files, what takes long comes first: none has to wait for another at the end."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if any(map(item.get_closest_marker, SLOW))}
        items.sort(key=lambda item: item.path not in slow)


# A busy machine is no failure of a property.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
