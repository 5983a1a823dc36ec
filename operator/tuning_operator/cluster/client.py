"""Requests to the API server: JSON documents in and out, repeated where that is safe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from tuning_operator.cluster.answers import Answer, Received
from tuning_operator.cluster.connection import USER_AGENT, Connection, Request, lines_of
from tuning_operator.cluster.credentials import Credentials, load_credentials
from tuning_operator.cluster.server_clock import ServerClock

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

PARALLEL_REQUESTS = 50
"""Requests in flight at once: as fast as one process can be, and far from harming an API server."""
ATTEMPTS = 4
"""How often a request is tried before it fails as `ClusterUnavailable`; longer outages are the callers' to wait out."""
LONGEST_RETRY_AFTER = 10.0
"""Seconds that a busy server may ask for in one answer."""


class ClusterClient:
    """Speaks with the API server as one identity; an asynchronous context manager.

    `load` reads the credentials, in a thread. `on_request` is called for every answer with the HTTP verb (`WATCH` for
    streams) and the status, 0 when there was none. `before_write` is called before each attempt of a request that
    changes something; what it raises goes to the caller, and nothing is sent. `clock` hears the time of every answer.
    """

    def __init__(
        self,
        load: Callable[[], Credentials] = load_credentials,
        on_request: Callable[[str, int], None] = lambda _verb, _code: None,
        *,
        attempts: int = ATTEMPTS,
        before_write: Callable[[], None] = lambda: None,
        user_agent: str = USER_AGENT,
        clock: ServerClock | None = None,
    ) -> None:
        self._connection = Connection(load, user_agent, clock or ServerClock())
        self._before_write = before_write
        self._on_request = on_request
        self._attempts = attempts
        self._slots = asyncio.Semaphore(PARALLEL_REQUESTS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; streams end."""
        await self._connection.close()

    async def credentials(self) -> Credentials:
        """Return the credentials in use."""
        return await self._connection.credentials()

    async def request(self, verb: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """Return the document that `send` gets; the options are its."""
        return (await self.send(verb, path, body, **options)).document

    async def send(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str = JSON,
        repeatable: bool | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """Send one request and return its answer.

        After a lost connection or 5xx only a `repeatable` request is tried again: by default all but POST, and a POST
        that names its object may be, for it is answered 409 then. A busy server (429) did nothing and is asked again
        always. `timeout` is in seconds, for each attempt.

        Raises
        ------
        ClusterUnavailable
            No success after a few attempts.
        NotFound, Forbidden, RequestRefused
            404, 403, another 4xx; with the server's own words.
        """
        types = {"Content-Type": content_type} if body is not None else {}
        request = Request(verb, path, params or {}, {**types, **(headers or {})}, body)
        repeatable = verb != "POST" if repeatable is None else repeatable
        for attempt in range(1, self._attempts + 1):
            async with self._slots:
                if verb != "GET":
                    self._before_write()
                received = await self._connection.exchange(request, timeout)
            self._on_request(verb, received.status)
            if received.succeeded:
                return received.answer()
            if not (received.was_not_handled or (repeatable and received.is_outage)):
                break
            if attempt < self._attempts:
                await asyncio.sleep(_delay(attempt, received))
        raise received.refusal()

    @asynccontextmanager
    async def stream(
        self, path: str, *, params: Mapping[str, str], silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream of lines: a watch. It is tried once, and raises as `chunks` does."""
        async with self.chunks(path, params=params, silence=silence, verb="WATCH") as opened:
            yield lines_of(opened)

    @asynccontextmanager
    async def chunks(
        self, path: str, *, params: Mapping[str, str], silence: float, verb: str = "GET"
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream of bytes in any portions, as a log that is followed. It is tried once.

        `silence` is the number of seconds without a byte after which the connection counts as dead.

        Raises
        ------
        ClusterUnavailable, NotFound, Forbidden, RequestRefused
            As for `send`; the first also while reading.
        """
        async with self._connection.stream(Request("GET", path, params, {}), silence) as opened:
            self._on_request(verb, opened.status if isinstance(opened, Received) else 200)
            if isinstance(opened, Received):
                raise opened.refusal()
            yield opened


def _delay(attempt: int, received: Received) -> float:
    if received.retry_after is not None:
        return min(received.retry_after, LONGEST_RETRY_AFTER)
    return float(0.1 * 3 ** (attempt - 1) * random.uniform(0.5, 1.5))
