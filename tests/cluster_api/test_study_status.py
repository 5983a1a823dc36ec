"""The status of a study on a real API server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.cluster_api.cluster import create_study
from tests.support.control_plane import ControlPlane
from tuning_operator.api.names import API_VERSION, PLURAL
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.study_status import ClusterStudyStatusWriter
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import StudyGone


@pytest.fixture
def study(control_plane: ControlPlane, study_crd: None, namespace: str) -> StudyKey:
    """A study on the API server."""
    return create_study(control_plane, namespace, "digits")


@pytest.fixture
def writer(client: ClusterClient) -> ClusterStudyStatusWriter:
    """What is tested."""
    return ClusterStudyStatusWriter(client)


async def test_a_new_status_replaces_all_of_the_old_one(
    writer: ClusterStudyStatusWriter, study: StudyKey, control_plane: ControlPlane
) -> None:
    await writer.write(study, {"phase": "Running", "progress": "1/10"})
    await writer.write(study, {"phase": "Complete"})
    found = _read(control_plane, study)["status"]
    assert found["phase"] == "Complete"
    assert "progress" not in found


async def test_a_deleted_study_is_gone(
    writer: ClusterStudyStatusWriter, study: StudyKey, control_plane: ControlPlane
) -> None:
    control_plane.api.delete(_path(study))
    with pytest.raises(StudyGone):
        await writer.write(study, {"phase": "Running"})


async def test_a_later_study_of_the_same_name_is_left_alone(
    writer: ClusterStudyStatusWriter, study: StudyKey, control_plane: ControlPlane
) -> None:
    earlier = replace(study, uid="0d0f4e5c-0000-4000-8000-000000000000")
    with pytest.raises(StudyGone):
        await writer.write(earlier, {"phase": "Failed"})
    assert _read(control_plane, study).get("status", {}).get("phase") != "Failed"


async def test_writing_a_status_changes_no_generation(
    writer: ClusterStudyStatusWriter, study: StudyKey, control_plane: ControlPlane
) -> None:
    await writer.write(study, {"phase": "Running"})
    assert _read(control_plane, study)["metadata"]["generation"] == 1


def _path(study: StudyKey) -> str:
    return f"/apis/{API_VERSION}/namespaces/{study.namespace}/{PLURAL}/{study.name}"


def _read(control_plane: ControlPlane, study: StudyKey) -> Any:
    return control_plane.api.get(_path(study))
