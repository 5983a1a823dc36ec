"""One operator and one namespace for each file of tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.chart.conftest import helm as helm
from tests.chart.helm import Helm
from tests.control_plane.operator_process import InstalledOperator
from tests.control_plane.studies import Studies
from tests.support.control_plane import ControlPlane
from tests.support.process_node import ProcessNode

CRD = Path(__file__).parents[2] / "crds" / "tuningstudies.yaml"


@pytest.fixture(scope="session")
def study_definition(control_plane: ControlPlane) -> None:
    """The API server knows TuningStudies, and the garbage collector knows that they own Jobs."""
    control_plane.install_definitions(CRD)


@pytest.fixture(scope="module")
def studies(control_plane: ControlPlane, study_definition: None) -> Iterator[Studies]:
    """A namespace with kubectl."""
    name = f"studies-{secrets.token_hex(4)}"
    control_plane.kubectl("create", "namespace", name)
    yield Studies(control_plane, name)
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def operator_settings() -> Mapping[str, str]:
    """Variables of the operator's environment; a file of tests that needs some has its own fixture of this name."""
    return {}


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane,
    process_node: ProcessNode,
    helm: Helm,
    studies: Studies,
    operator_settings: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[InstalledOperator]:
    """An operator that runs, with the rights of the chart and no others."""
    folder = tmp_path_factory.mktemp("operator")
    installed = InstalledOperator(control_plane, helm, studies.namespace, folder, settings=operator_settings)
    installed.start()
    try:
        installed.wait_ready()
        yield installed
    finally:
        installed.terminate()


@pytest.fixture
def standby(
    control_plane: ControlPlane, helm: Helm, studies: Studies, operator: InstalledOperator
) -> Iterator[InstalledOperator]:
    """A second operator of the same release and on the same database, not started yet."""
    installed = InstalledOperator(control_plane, helm, studies.namespace, operator.database.parent, "operator-1")
    yield installed
    installed.terminate()
