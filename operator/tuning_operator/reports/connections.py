"""How many connections may be open, and how long one may stay silent before its first request."""

from __future__ import annotations

import asyncio
import resource

from aiohttp import web

from tuning_operator.reports.limits import Limits
from tuning_operator.reports.refusals import Handler

_BUSY = b'{"error": "the operator has too many open connections; try again"}'
_BUSY_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BUSY), _BUSY)
)


class Connections:
    """Makes the protocol of each new connection, as `loop.create_server` asks for it.

    A client that sends its headers byte by byte would otherwise hold its connection for ever: aiohttp's own timeout
    begins with the first answer.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = min(limits.connections, _open_files() // 2)
        self._header_seconds = limits.header_seconds
        self._silent: set[asyncio.BaseProtocol] = set()

    def protocol(self, server: web.Server) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection."""
        if len(server.connections) >= self._most:
            return _Busy()
        protocol = server()
        self._silent.add(protocol)
        asyncio.get_running_loop().call_later(self._header_seconds, self._close_silent, protocol)
        return protocol

    @web.middleware
    async def notice_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note that a connection has sent its headers."""
        self._silent.discard(request.protocol)
        return await handler(request)

    def _close_silent(self, protocol: web.RequestHandler) -> None:
        if protocol in self._silent:
            self._silent.discard(protocol)
            protocol.force_close()


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(_BUSY_ANSWER)
        transport.close()


def _open_files() -> int:
    """Return how many files this process may open; the rest is left to the database and the API server."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft
