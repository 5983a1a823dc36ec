"""Loads the fixtures that all test folders share."""

from hypothesis import settings

pytest_plugins = ["tests.support.fixtures"]

# A busy machine is no failure of a property.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
