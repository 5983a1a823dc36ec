"""Studies, as the operator reads them, and the command line reads and changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuning_operator.cluster import paths
from tuning_operator.cluster.client import MERGE_PATCH, ClusterClient

PAGE = "500"
"""Objects in one answer to a list."""


class StudyClient:
    """Takes studies as the documents that the API server stores. Raises what `ClusterClient.send` raises."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client

    async def studies(self, namespaces: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the studies of some namespaces, or all."""
        return [study for scope in paths.scopes(namespaces) for study in await self._list(paths.studies(scope))]

    async def study(self, namespace: str, name: str) -> dict[str, Any]:
        """Return one study."""
        return await self._client.request("GET", f"{paths.studies(namespace)}/{name}")

    async def merge(self, seen: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """Merge changes (RFC 7386) into a study as it was seen; a conflict (409) says that it has changed since.

        A field that the API server's version of the resource lacks is refused, not dropped.
        """
        metadata = seen["metadata"]
        version = {"metadata": {"resourceVersion": metadata["resourceVersion"]}}
        return await self._client.request(
            "PATCH",
            f"{paths.studies(metadata['namespace'])}/{metadata['name']}",
            {**version, **changes},
            params={"fieldValidation": "Strict"},
            content_type=MERGE_PATCH,
        )

    async def ask_service(
        self,
        namespace: str,
        service: str,
        port: int | str,
        path: str,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> dict[str, Any]:
        """GET a JSON document of a Service through the API server; `path` has no leading slash.

        The API server passes on all headers but Authorization, so the Service's own credential goes into another one.
        """
        proxy = f"{paths.collection(paths.CORE, 'services', namespace)}/{service}:{port}/proxy"
        return await self._client.request("GET", f"{proxy}/{path}", params=params, headers=headers)

    async def _list(self, path: str) -> list[dict[str, Any]]:
        params = {"limit": PAGE}
        found: list[dict[str, Any]] = []
        while True:
            page = await self._client.request("GET", path, params=params)
            found.extend(item for item in page.get("items") or () if isinstance(item, dict))
            proceed = (page.get("metadata") or {}).get("continue")
            if not proceed:
                return found
            params["continue"] = proceed
