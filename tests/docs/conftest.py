"""An operator with its namespace, and somebody who reads pages there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.control_plane.conftest import helm as helm
from tests.control_plane.conftest import operator as operator
from tests.control_plane.conftest import operator_settings as operator_settings
from tests.control_plane.conftest import studies as studies
from tests.control_plane.conftest import study_definition as study_definition
from tests.control_plane.operator_process import InstalledOperator
from tests.control_plane.studies import Studies
from tests.docs.reader import Reader
from tests.support.control_plane import ControlPlane


@pytest.fixture
def reader(control_plane: ControlPlane, studies: Studies, operator: InstalledOperator, tmp_path: Path) -> Reader:
    """Somebody in the namespace of a running operator."""
    return Reader.of_namespace(tmp_path, control_plane, studies.namespace)
