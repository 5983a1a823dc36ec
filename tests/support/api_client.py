"""A small blocking client of the API server, for set-up and assertions: far cheaper than kubectl."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

MERGE_PATCH = "application/merge-patch+json"
"""Content type of a PATCH whose body is merged into the object."""


class ApiRefused(Exception):
    """The API server answered with an error: `status` is the HTTP code, `reason` Kubernetes' own word (NotFound)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


class ApiClient:
    """Requests with one bearer token. Network errors surface as OSError."""

    def __init__(self, url: str, ca_file: Path, token: str) -> None:
        self.url = url
        self.token = token
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", timeout_s: float = 30
    ) -> Any:
        """The decoded answer to one request; text that isn't JSON comes back as str. Raises ApiRefused and OSError."""
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=str(self._ca_file))
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type, "User-Agent": "test-support"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s, context=self._tls) as response:
                return _decoded(response.headers, response.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise _refused(refusal.code, _decoded(refusal.headers, refusal.read())) from refusal

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST to a collection, such as `/apis/batch/v1/namespaces/default/jobs`."""
        return self.request("POST", path, body)

    def merge_patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self.request("PATCH", path, body, MERGE_PATCH)

    def delete(self, path: str, propagation: str = "Background") -> Any:
        return self.request("DELETE", path, {"propagationPolicy": propagation})


def _decoded(headers: Message, body: bytes) -> Any:
    return json.loads(body) if headers.get_content_type() == "application/json" else body.decode(errors="replace")


def _refused(code: int, answer: Any) -> ApiRefused:
    if isinstance(answer, dict):
        return ApiRefused(code, str(answer.get("reason", "")), str(answer.get("message", "")))
    return ApiRefused(code, "", str(answer).strip())
