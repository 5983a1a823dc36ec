"""TuningStudies on a real API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.api_client import ApiRefused
from tests.support.control_plane import ControlPlane
from tuning_operator.api.names import API_VERSION, PLURAL


class StudyServer:
    """The studies of one namespace. Unknown fields are refused, as kubectl asks for it."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane = control_plane
        self.namespace = namespace
        self._path = f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"

    def create(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The study as it is stored. Raises ApiRefused."""
        return self._request("POST", f"{self._path}?fieldValidation=Strict", document)

    def tried(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The study as it would be stored; nothing is. Raises ApiRefused."""
        return self._request("POST", f"{self._path}?dryRun=All&fieldValidation=Strict", document)

    def refusal(self, document: Mapping[str, Any]) -> str | None:
        """Why the API server refuses a study, None if it would accept it; nothing is stored."""
        return self._answer("POST", f"{self._path}?dryRun=All&fieldValidation=Strict", document)

    def get(self, name: str) -> dict[str, Any]:
        return self._request("GET", f"{self._path}/{name}")

    def update_refusal(self, document: Mapping[str, Any]) -> str | None:
        """Why the API server refuses to replace a study, None if it would; nothing is stored."""
        return self._answer("PUT", f"{self._path}/{document['metadata']['name']}?dryRun=All", document)

    def write_status(self, name: str, status: Mapping[str, Any]) -> dict[str, Any]:
        """Merges the status as the operator does, and returns the study. Raises ApiRefused."""
        answer: dict[str, Any] = self.control_plane.api.merge_patch(f"{self._path}/{name}/status", {"status": status})
        return answer

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self.control_plane.api.request(method, path, body)
        return answer

    def _answer(self, method: str, path: str, body: Mapping[str, Any]) -> str | None:
        try:
            self._request(method, path, body)
        except ApiRefused as refusal:
            if refusal.status not in (400, 422):
                raise
            return str(refusal)
        return None
