"""A standby passes on what it receives to the active operator, with the credentials that came with it.

A Service spreads connections over all replicas, and one answers. A request is passed on once: where two operators take
each other for the active one, its sender is asked to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from tuning_operator.metrics.recording import Metrics
from tuning_operator.reports.certificate import ServingCertificate
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.read_api import TOKEN_HEADER
from tuning_operator.reports.refusals import Handler, Reason, Refused

FORWARDED_HEADER = "X-Tuning-Forwarded"
"""Marks a request that was passed on already."""

_RETRY_SECONDS = 1.0
"""After which a sender comes again while no operator is active: a takeover takes seconds."""
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=25.0)
"""The SDK gives up after 30 s."""
_REQUEST_HEADERS = (hdrs.AUTHORIZATION, hdrs.CONTENT_TYPE, hdrs.CONTENT_ENCODING, TOKEN_HEADER)
_RESPONSE_HEADERS = (hdrs.CONTENT_TYPE, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE, hdrs.ALLOW)

Leader = Callable[[], str | None]
"""Base URL of the active operator; empty: none is known; None: this process is it."""


class Forwarding:
    """Decides for each request whether it is served here, passed on, or refused."""

    def __init__(
        self, leader: Leader, limits: Limits, metrics: Metrics, certificate: ServingCertificate | None = None
    ) -> None:
        self._leader = leader
        self._metrics = metrics
        self._certificate = certificate
        """All replicas have the same; None: they speak plain HTTP."""
        self._places = limits.forwarded
        self._body_seconds = limits.body_seconds
        self._session: aiohttp.ClientSession | None = None
        self._served = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def drain(self, seconds: float) -> None:
        """Wait until the requests that are served here are answered, for at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    @web.middleware
    async def forward(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve a request wherever that is possible."""
        leader = self._leader()
        if leader is None or not request.path.startswith("/v1/"):
            return await self._serve(request, handler)
        if not leader or FORWARDED_HEADER in request.headers:
            self._metrics.report_refused(Reason.NOT_ACTIVE)
            raise _not_active("this operator is not the active one; send the request again")
        if self._places <= 0:
            self._metrics.report_refused(Reason.TOO_MANY)
            raise Refused(429, Reason.TOO_MANY, "too many requests wait for the active operator", _RETRY_SECONDS)
        self._places -= 1
        try:
            return await self._pass_on(leader, request)
        finally:
            self._places += 1

    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._served += 1
        self._idle.clear()
        try:
            return await handler(request)
        finally:
            self._served -= 1
            if not self._served:
                self._idle.set()

    async def _pass_on(self, leader: str, request: web.Request) -> web.StreamResponse:
        body = await self._body(request)
        kept = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
        response: web.StreamResponse | None = None
        try:
            url = URL(leader.rstrip("/") + request.path_qs, encoded=True)
            options = {"headers": {**kept, FORWARDED_HEADER: "1"}, "allow_redirects": False, **self._tls()}
            async with self._connected().request(request.method, url, data=body, **options) as answer:
                self._metrics.request_forwarded(answer.status)
                response = _begun(answer)
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if response is not None and response.prepared:
                raise  # the head is out: the connection ends
            self._metrics.request_forwarded(0)
            raise _not_active("the active operator does not answer; send the request again") from error

    async def _body(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._body_seconds):
                return await request.read()
        except TimeoutError:
            raise Refused(408, Reason.TOO_SLOW, f"the body did not arrive within {self._body_seconds:g} s") from None

    def _tls(self) -> dict[str, Any]:
        """The leader is reached by its address, and its certificate is for the name of the Service."""
        if self._certificate is None:
            return {}
        return {"ssl": self._certificate.peer_context, "server_hostname": self._certificate.server_name}

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
                auto_decompress=False,
            )
        return self._session


def _begun(answer: aiohttp.ClientResponse) -> web.StreamResponse:
    kept = {name: answer.headers[name] for name in _RESPONSE_HEADERS if name in answer.headers}
    response = web.StreamResponse(status=answer.status, headers=kept)
    # The sender's next connection may find the active operator itself.
    response.force_close()
    return response


def _not_active(sentence: str) -> Refused:
    return Refused(503, Reason.NOT_ACTIVE, sentence, _RETRY_SECONDS)
