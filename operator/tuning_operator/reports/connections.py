"""Connections: how many may be open, how long one may stay silent, and which one gives way to a new one."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from contextlib import suppress
from typing import Any

from aiohttp import web

from tuning_operator.reports.certificate import ServingCertificate
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.refusals import Handler

_log = logging.getLogger(__name__)

_BUSY = b'{"error": "the operator has too many open connections; try again"}'
_BUSY_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BUSY), _BUSY)
)
_PAUSE_SECONDS = 1.0
"""How long nothing is accepted after the machine refused it, for want of open files or memory."""


class Connections:
    """Accepts connections and keeps count of them, from before the TLS handshake on.

    A client that sends its handshake or its headers byte by byte would otherwise hold its connection for ever, and a
    few thousand idle ones would lock everybody out. When all places are taken, the one that was silent for longest
    gives way, else the one that was idle for longest: whoever reports opens another. So only requests under way hold
    their places, and those are limited by credential.
    """

    def __init__(self, limits: Limits, certificate: ServingCertificate | None = None) -> None:
        self._most = min(limits.connections, _open_files() // 2)
        self._header_seconds = limits.header_seconds
        self._certificate = certificate
        self._open: dict[asyncio.BaseProtocol, _Connection] = {}
        """By the protocol that aiohttp knows it by."""
        self._silent: dict[_Connection, None] = {}
        """Without a first request, the oldest first."""
        self._idle: dict[_Connection, None] = {}
        """Between two requests, the one that is so for longest first."""

    async def accept(self, listener: socket.socket, server: web.Server) -> None:
        """Serve whoever connects, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except ConnectionError:  # it left before it was accepted
                continue
            except OSError as error:
                _log.warning("connections have to wait: %s", error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            try:
                self._take(client, server)
            except Exception:  # noqa: BLE001 - one connection's trouble must not end all that follow
                _log.exception("a connection can't be served: this is a defect")
                client.close()
            await asyncio.sleep(0)  # a storm of connections must not hold up those that are open

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.sleep(0)  # a task that is cancelled before its first step closes nothing
        tasks = [connection.task for connection in self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @web.middleware
    async def notice_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note which connections have a request under way."""
        connection = self._open.get(request.protocol)
        if connection is None:  # lost already
            return await handler(request)
        connection.has_spoken()
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)
        try:
            return await handler(request)
        finally:
            if request.protocol in self._open:
                self._idle[connection] = None

    def _take(self, client: socket.socket, server: web.Server) -> None:
        if len(self._open) >= self._most and not self._make_room():
            self._turn_away(client)
            return
        connection = _Connection(server())
        self._open[connection.handler] = connection
        self._silent[connection] = None
        connection.task = asyncio.get_running_loop().create_task(self._serve(client, connection))

    async def _serve(self, client: socket.socket, connection: _Connection) -> None:
        try:
            with suppress(OSError):  # no TLS; or TimeoutError, nothing for too long
                await self._until_closed(client, connection)
        finally:
            connection.abort()
            del self._open[connection.handler]
            self._silent.pop(connection, None)
            self._idle.pop(connection, None)

    async def _until_closed(self, client: socket.socket, connection: _Connection) -> None:
        options: dict[str, Any] = {}
        if self._certificate is not None:
            options = {"ssl": self._certificate.context, "ssl_handshake_timeout": self._header_seconds}
        async with asyncio.timeout(self._header_seconds):
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, client, **options)
            await connection.spoken
        await connection.closed

    def _make_room(self) -> bool:
        for resting in (self._silent, self._idle):
            if resting:
                connection = next(iter(resting))
                del resting[connection]
                connection.task.cancel()
                return True
        return False

    def _turn_away(self, client: socket.socket) -> None:
        if self._certificate is None:
            with suppress(OSError):
                client.send(_BUSY_ANSWER)
        client.close()


class _Connection(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol, and tells when a request came and when the connection is lost."""

    task: asyncio.Task[None]
    """Runs as long as the connection holds its place."""

    def __init__(self, handler: web.RequestHandler) -> None:
        self.handler = handler
        loop = asyncio.get_running_loop()
        self.spoken, self.closed = loop.create_future(), loop.create_future()
        self._transport: asyncio.Transport | None = None

    def has_spoken(self) -> None:
        """Take note of a request."""
        if not self.spoken.done():
            self.spoken.set_result(None)

    def abort(self) -> None:
        """Close the connection without another word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.handler.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.handler.connection_lost(error)
        for future in (self.spoken, self.closed):
            if not future.done():
                future.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.handler.data_received(data)

    def eof_received(self) -> None:
        self.handler.eof_received()

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()


def _open_files() -> int:
    """Return how many files this process may open; the rest is left to the database and the API server."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft
