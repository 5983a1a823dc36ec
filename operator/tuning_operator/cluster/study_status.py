"""The status of a TuningStudy, written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning_operator.cluster import paths
from tuning_operator.cluster.answers import RequestRefused
from tuning_operator.cluster.client import JSON_PATCH, ClusterClient
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import ClusterUnavailable, NotFound, StudyGone


class ClusterStudyStatusWriter:
    """Implements `StudyStatusWriter` with one PATCH of the status subresource."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client

    async def write(self, study: StudyKey, status: Mapping[str, Any]) -> None:
        """Replace the status; a study of the same name with another uid is left alone."""
        path = f"{paths.studies(study.namespace)}/{study.name}/status"
        # A merge patch would keep the fields that the new status lacks, and the subresource ignores a uid in it.
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": study.uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        try:
            await self._client.request("PATCH", path, patch, content_type=JSON_PATCH)
        except NotFound as gone:
            raise StudyGone(f"the study {study} was deleted") from gone
        except RequestRefused as refused:
            if await self._is_gone(study):  # a test that fails is answered 422, as an invalid status is
                raise StudyGone(f"the study {study} was deleted and created again") from refused
            if refused.code != 409:
                raise
            raise ClusterUnavailable(f"the study {study} is being changed by somebody else: {refused}") from refused

    async def _is_gone(self, study: StudyKey) -> bool:
        # A list of one: the operator may list studies, and needs no right to get them.
        params = {"fieldSelector": f"metadata.name={study.name}"}
        listed = await self._client.request("GET", paths.studies(study.namespace), params=params)
        return study.uid not in [(item.get("metadata") or {}).get("uid") for item in listed.get("items") or ()]
