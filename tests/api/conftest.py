"""An API server that knows TuningStudies."""

from __future__ import annotations

import pytest

from tests.api.server import StudyServer
from tests.cluster_api.cluster import install_crd
from tests.support.control_plane import ControlPlane


@pytest.fixture
def server(control_plane: ControlPlane, namespace: str) -> StudyServer:
    """The studies of a namespace of the test's own."""
    install_crd(control_plane)
    return StudyServer(control_plane, namespace)


@pytest.fixture(scope="module")
def checking_server(control_plane: ControlPlane) -> StudyServer:
    """Studies that are only tried, so that many tests can share a namespace."""
    install_crd(control_plane)
    return StudyServer(control_plane, "default")
