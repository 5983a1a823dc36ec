"""The node's asynchronous client of the API server, which outlives the server's absence."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

_WATCH_S = 300
_RETRY_PAUSES_S = (0.05, 0.1, 0.2, 0.5)
_LARGEST_EVENT = 4 * 2**20
_UNREACHABLE = (aiohttp.ClientError, OSError, asyncio.TimeoutError)

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The API server answered with an error; `status` is the HTTP code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Listed:
    """All objects that exist now; what isn't among them is gone."""

    objects: list[dict[str, Any]]


@dataclass(frozen=True)
class Changed:
    """One object changed; with `deleted` it is gone and `object` is its last state."""

    object: dict[str, Any]
    deleted: bool


class ApiServer:
    """Requests as the user of a kubeconfig. Each is repeated until the API server takes or refuses it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def connect(cls, config: Mapping[str, Any]) -> AsyncIterator[ApiServer]:
        """The server that a kubeconfig's only cluster names, with the token of its only user."""
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        async with aiohttp.ClientSession(
            base_url=cluster["server"],
            headers={"Authorization": f"Bearer {user['token']}", "User-Agent": "process-node"},
            connector=aiohttp.TCPConnector(ssl=tls, limit=50),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_WATCH_S + 60),
            read_bufsize=_LARGEST_EVENT,
        ) as session:
            yield cls(session)

    async def request(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> dict[str, Any]:
        """The answer's object. Raises Refused, but not for overload (429) or a server in trouble (5xx)."""
        attempt = 0
        while True:
            try:
                return await self._request_once(method, path, body, content_type)
            except Refused as refusal:
                if refusal.status != 429 and refusal.status < 500:
                    raise
                logger.warning("%s %s: %s", method, path, refusal)
            except _UNREACHABLE as failure:
                logger.warning("%s %s: %r", method, path, failure)
            await asyncio.sleep(_RETRY_PAUSES_S[min(attempt, len(_RETRY_PAUSES_S) - 1)])
            attempt += 1

    async def _request_once(self, method: str, path: str, body: Any, content_type: str) -> dict[str, Any]:
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers={"Content-Type": content_type}) as response:
            if response.status >= 400:
                raise Refused(response.status, await response.text())
            answer: dict[str, Any] = await response.json()
            return answer

    async def follow(self, path: str, selector: str) -> AsyncIterator[Listed | Changed]:
        """The objects of a collection by field selector and every change to them; lists again after a gap. Endless."""
        while True:
            listed = await self.request("GET", f"{path}?fieldSelector={selector}")
            yield Listed(listed["items"])
            version = listed["metadata"]["resourceVersion"]
            try:
                async for change in self._watch(path, selector, version):
                    yield change
            except Refused as refusal:
                logger.warning("watch of %s: %s", path, refusal)
            except _UNREACHABLE as failure:
                logger.warning("watch of %s: %r", path, failure)
            await asyncio.sleep(_RETRY_PAUSES_S[0])

    async def _watch(self, path: str, selector: str, version: str) -> AsyncIterator[Changed]:
        query = {
            "fieldSelector": selector,
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_S),
        }
        async with self._session.get(path, params=query) as response:
            if response.status >= 400:
                raise Refused(response.status, await response.text())
            async for line in response.content:
                yield _change(json.loads(line))


def _change(event: Mapping[str, Any]) -> Changed:
    if event["type"] == "ERROR":
        raise Refused(event["object"].get("code", 500), event["object"].get("message", ""))
    return Changed(event["object"], deleted=event["type"] == "DELETED")
