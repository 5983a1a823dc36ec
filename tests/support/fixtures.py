"""The real things as pytest fixtures; a test that uses one gets its marker.

Where a part is missing on this machine the test is skipped with a sentence that says how to get it; in CI (environment
variable CI) it fails, so that no proof is lost unnoticed.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from .api_client import ApiRefused
from .binaries import MissingBinaries
from .control_plane import ControlPlane
from .postgresql import MissingServer, server_url, temporary_database
from .process_node import ProcessNode

_MARKERS = {
    "control_plane": pytest.mark.control_plane,
    "postgresql_url": pytest.mark.postgresql,
}
"""Fixture -> marker of every test that uses it, directly or through another fixture."""

_NAMESPACE_DEADLINE_S = 30.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, marker in _MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def missing(reason: str) -> NoReturn:
    """Skips the test for a part that this machine lacks; fails it in CI."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(f"CI must have every part that a test needs. {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One control plane for the whole run. A test that breaks it repairs it."""
    try:
        plane = ControlPlane()
    except MissingBinaries as reason:
        missing(str(reason))
    with plane:
        yield plane


@pytest.fixture(scope="session")
def process_node(control_plane: ControlPlane) -> Iterator[ProcessNode]:
    """A node with 4 GPUs that runs the pods of all tests as processes. A test that changes it changes it back."""
    with ProcessNode(control_plane, gpus=4) as node:
        yield node


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """The name of a namespace of the test's own; it is deleted afterwards, in the background."""
    name = f"test-{secrets.token_hex(4)}"
    control_plane.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    wait_for_default_account(control_plane, name)
    yield name
    control_plane.api.delete(f"/api/v1/namespaces/{name}")


def wait_for_default_account(control_plane: ControlPlane, namespace: str) -> None:
    """Waits for a new namespace's account: admission refuses pods until it exists."""
    deadline = time.monotonic() + _NAMESPACE_DEADLINE_S
    while True:
        try:
            control_plane.api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
            return
        except ApiRefused as refusal:
            if refusal.status != 404 or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    with own_database() as url:
        yield url


@contextmanager
def own_database() -> Iterator[str]:
    """An empty PostgreSQL database, for a fixture that several tests share; they need the marker of the others."""
    try:
        server = server_url()
    except MissingServer as reason:
        missing(str(reason))
    with temporary_database(server) as url:
        yield url
