"""Studies, their Jobs and their logs, as the operator and the command line read them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tuning_operator.api.names import STUDY_UID_LABEL
from tuning_operator.cluster import paths
from tuning_operator.cluster.client import MERGE_PATCH, ClusterClient

PAGE = "500"
"""Objects in one answer to a list."""


class StudyClient:
    """Reads studies as the documents that the API server stores. Raises what `ClusterClient.send` raises."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client

    async def studies(self, namespaces: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return the studies of some namespaces, or all."""
        return [
            study for scope in paths.scopes(namespaces) for study in await self._list(paths.studies(scope), selector="")
        ]

    async def study(self, namespace: str, name: str) -> dict[str, Any]:
        """Return one study."""
        return await self._client.request("GET", f"{paths.studies(namespace)}/{name}")

    async def create_study(self, namespace: str, study: Mapping[str, Any]) -> dict[str, Any]:
        """Create a study with strict validation: an unknown field is refused."""
        params = {"fieldValidation": "Strict"}
        return await self._client.request("POST", paths.studies(namespace), study, params=params, repeatable=False)

    async def patch_study(self, namespace: str, name: str, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge a patch into a study, as suspending and stopping do."""
        path = f"{paths.studies(namespace)}/{name}"
        return await self._client.request("PATCH", path, patch, content_type=MERGE_PATCH)

    async def jobs(self, namespace: str, study_uid: str) -> list[dict[str, Any]]:
        """Return the Jobs of a study."""
        return await self._list(paths.jobs(namespace), selector=f"{STUDY_UID_LABEL}={study_uid}")

    async def pods(self, namespace: str, job: str) -> list[dict[str, Any]]:
        """Return the pods of a Job."""
        return await self._list(paths.pods(namespace), selector=f"batch.kubernetes.io/job-name={job}")

    @asynccontextmanager
    async def log(
        self, namespace: str, pod: str, container: str, *, follow: bool = False
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the lines of a container's log; with `follow` they go on until the container ends."""
        params = {"container": container, "follow": "true" if follow else "false"}
        path = f"{paths.pods(namespace)}/{pod}/log"
        async with self._client.stream(path, params=params, silence=24 * 3600.0) as lines:
            yield lines

    async def ask_service(
        self, namespace: str, service: str, port: int | str, path: str, *, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """GET a JSON document of a Service through the API server; `path` has no leading slash and may have a query.

        The API server passes on all headers but Authorization, so the Service's own credential goes into another one.
        """
        proxy = f"{paths.collection(paths.CORE, 'services', namespace)}/{service}:{port}/proxy"
        return await self._client.request("GET", f"{proxy}/{path}", headers=headers)

    async def _list(self, path: str, selector: str) -> list[dict[str, Any]]:
        params = {"limit": PAGE, **({"labelSelector": selector} if selector else {})}
        found: list[dict[str, Any]] = []
        while True:
            page = await self._client.request("GET", path, params=params)
            found.extend(item for item in page.get("items") or () if isinstance(item, dict))
            proceed = (page.get("metadata") or {}).get("continue")
            if not proceed:
                return found
            params["continue"] = proceed
