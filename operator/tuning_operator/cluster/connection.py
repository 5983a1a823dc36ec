"""One aiohttp session with the API server: credentials, TLS, and network errors as values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tuning_operator.cluster.answers import Received, parse_retry_after, parse_warnings
from tuning_operator.cluster.credentials import Credentials
from tuning_operator.cluster.server_clock import ServerClock
from tuning_operator.errors import ClusterUnavailable

CONNECT_TIMEOUT = 10.0
"""Seconds for a connection."""
USER_AGENT = "tuning-operator"
"""What the audit log shows of whoever asks, beside its account."""


@dataclass(frozen=True)
class Request:
    """What is sent; the same for each attempt."""

    verb: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    """A JSON value; None: no body."""


@dataclass(frozen=True)
class _Access:
    """Credentials and what was derived from them."""

    credentials: Credentials
    headers: Mapping[str, str]
    options: Mapping[str, Any]


class Connection:
    """Sends requests as the identity that `load` reads, now and again when the server refuses it: tokens rotate.

    `clock` hears the time of every answer.
    """

    def __init__(self, load: Callable[[], Credentials], user_agent: str, clock: ServerClock) -> None:
        self._load = load
        self._clock = clock
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._access: _Access | None = None
        self._loading = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections; streams end."""
        if self._session is not None:
            await self._session.close()

    async def credentials(self) -> Credentials:
        """Return the credentials in use."""
        return (await self._current()).credentials

    async def exchange(self, request: Request, timeout: float) -> Received:
        """Send a request once; an answer that does not come within `timeout` seconds has the status 0."""
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        access = await self._current()
        received = await self._exchange(access, request, limits)
        if received.status == 401:
            received = await self._exchange(await self._current(refused=access), request, limits)
        return received

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Received | AsyncIterator[bytes]]:
        """Open a stream, or give the answer that came instead; `silence` seconds without a byte break it."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=silence)
        access = await self._current()
        for attempt in (1, 2):
            try:
                response = await self._open(access, request, limits)
            except (aiohttp.ClientError, OSError) as error:
                yield _no_answer(error)
                return
            async with response:
                if response.status == 401 and attempt == 1:
                    access = await self._current(refused=access)
                    continue
                try:
                    yield _chunks(response) if response.status < 400 else await _received(response)
                finally:
                    _abort(response)
                return

    async def _exchange(self, access: _Access, request: Request, limits: aiohttp.ClientTimeout) -> Received:
        try:
            async with await self._open(access, request, limits) as response:
                return await _received(response)
        except (aiohttp.ClientError, OSError) as error:
            return _no_answer(error)

    async def _open(self, access: _Access, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        if self._session is None:
            # Streams hold connections for hours, so the client bounds its requests, and not the connector.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60))
        options = dict(access.options)
        if request.body is not None:
            options["json"] = request.body
        sent = self._clock.ticks()
        response = await self._session.request(
            request.verb,
            access.credentials.server + request.path,
            params=request.params,
            headers={**access.headers, **request.headers},
            timeout=limits,
            **options,
        )
        self._clock.hear(response.headers.get("Date"), sent)
        return response

    async def _current(self, refused: _Access | None = None) -> _Access:
        async with self._loading:  # a rotated token is refused to fifty requests at once, and read once
            if self._access is None or self._access is refused:
                self._access = await asyncio.to_thread(self._read)
            return self._access

    def _read(self) -> _Access:
        credentials = self._load()
        headers = {"Accept": "application/json", "User-Agent": self._user_agent}
        if credentials.authorization is not None:
            headers["Authorization"] = credentials.authorization
        options: dict[str, Any] = {}
        if (context := credentials.ssl_context()) is not None:
            options["ssl"] = context
        if credentials.server_name is not None:
            options["server_hostname"] = credentials.server_name
        if credentials.proxy is not None:
            options["proxy"] = credentials.proxy
        return _Access(credentials, headers, options)


async def _received(response: aiohttp.ClientResponse) -> Received:
    headers = response.headers
    return Received(
        response.status,
        await response.read(),
        parse_retry_after(headers),
        parse_warnings(headers.getall("Warning", [])),
    )


def _abort(response: aiohttp.ClientResponse) -> None:
    """Drop the connection of a stream that was left; TLS's farewell could outlive the event loop."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


def _no_answer(error: Exception) -> Received:
    return Received(0, _words(error).encode())


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError) as error:
        raise ClusterUnavailable(f"the API server's stream broke off: {_words(error)}") from error


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield whole lines of any length: aiohttp's own readline gives up at 128 KiB, and a Job may have more."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest
