"""An HTTP proxy that answers, delays, loses and cuts on command what passes through it."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import aiohttp
from aiohttp import web

from .fault_rules import Answer, Cut, Delay, Hang, LoseAnswer, Rule, is_watch
from .processes import free_ports

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "upgrade"}
_UNREACHABLE = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class FaultProxy:
    """Passes everything on to the first of `targets` that accepts a connection, but for what its rules say.

    It runs in a thread of its own; use it as a context manager. With `certificate` (certificate and key) it speaks TLS,
    and `authority` is what the targets' certificates are checked against. `targets` is called for each request and
    gives base URLs.
    """

    def __init__(
        self,
        targets: Callable[[], Sequence[str]],
        *,
        certificate: tuple[Path, Path] | None = None,
        authority: Path | None = None,
    ) -> None:
        self._targets = targets
        self._certificate = certificate
        self._authority = authority
        self._rules: list[Rule] = []
        self._streams: set[_Stream] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._changed: asyncio.Event
        self._turn = itertools.count()
        (self.port,) = free_ports(1)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"

    def add(self, rule: Rule) -> Rule:
        """Let a rule hold from now on; the first that takes a request decides."""
        self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """End a rule; whoever hangs by it loses the connection."""
        self._rules.remove(rule)
        self._loop.call_soon_threadsafe(self._wake_hanging)

    def end_streams(self) -> int:
        """End all watches, in the middle of a line as likely as not; return how many there were."""
        return self._on_streams(lambda stream: stream.end())

    def silence_streams(self) -> int:
        """Let no byte through the watches that are open now, and keep them open; return how many there were."""
        return self._on_streams(lambda stream: stream.silence())

    def send_into_streams(self, line: bytes) -> int:
        """Write a line into each open watch, after which the server's own come on; return how many there were."""
        return self._on_streams(lambda stream: stream.insert(line))

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._changed = asyncio.Event()
        tls = ssl.create_default_context(cafile=str(self._authority)) if self._authority else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            auto_decompress=False,
        )
        # Not more than this may be in a line of a watch, or in a body.
        application = web.Application(client_max_size=16 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        context = None
        if self._certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self._certificate)
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context).start()

    async def _stop(self) -> None:
        self._rules.clear()
        self._wake_hanging()
        for stream in self._streams:
            stream.end()
        await self._runner.cleanup()
        await self._session.close()
        await asyncio.sleep(0.1)  # TLS connections close

    def _on_streams(self, act: Callable[[_Stream], None]) -> int:
        async def work() -> int:
            streams = list(self._streams)
            for stream in streams:
                act(stream)
            return len(streams)

        return asyncio.run_coroutine_threadsafe(work(), self._loop).result()

    def _wake_hanging(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        behaviour = next((rule.behaviour for rule in list(self._rules) if rule.takes(request)), None)
        if isinstance(behaviour, Answer):
            return _status(behaviour)
        if isinstance(behaviour, Delay):
            await asyncio.sleep(behaviour.seconds)
        if isinstance(behaviour, Hang):
            await self._changed.wait()
        if isinstance(behaviour, Hang | Cut):
            return _abort(request)
        try:
            return await self._pass_on(request, body, lose=isinstance(behaviour, LoseAnswer))
        except _UNREACHABLE:
            return _abort(request)

    async def _pass_on(self, request: web.Request, body: bytes, lose: bool) -> web.StreamResponse:
        async with await self._ask(request, body) as answer:
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            if not is_watch(request) or answer.status >= 400:
                content = await answer.read()
                return _abort(request) if lose else web.Response(body=content, status=answer.status, headers=headers)
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            stream = _Stream(request)
            self._streams.add(stream)
            try:
                await stream.copy(answer, response)
            finally:
                self._streams.discard(stream)
            return response

    async def _ask(self, request: web.Request, body: bytes) -> aiohttp.ClientResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        targets, first = list(self._targets()), next(self._turn)
        for number in range(len(targets)):
            url = targets[(first + number) % len(targets)] + request.raw_path
            try:
                return await self._session.request(request.method, url, headers=headers, data=body or None)
            except aiohttp.ClientConnectorError:
                continue
        raise ConnectionRefusedError("no target accepts a connection")


class _Stream:
    """A watch that passes through."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._inserted: asyncio.Queue[bytes] = asyncio.Queue()
        self._silent = False

    def end(self) -> None:
        _abort(self._request)

    def silence(self) -> None:
        self._silent = True

    def insert(self, line: bytes) -> None:
        self._inserted.put_nowait(line + b"\n")

    async def copy(self, answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        inserting = asyncio.create_task(self._insert(response))
        try:
            # Line by line, so that nothing is inserted into the middle of one.
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                if lines and not self._silent:
                    await response.write(b"".join(line + b"\n" for line in lines))
            if self._silent:
                await asyncio.Event().wait()  # until the client gives up
        finally:
            inserting.cancel()

    async def _insert(self, response: web.StreamResponse) -> None:
        while True:
            await response.write(await self._inserted.get())


def _abort(request: web.Request) -> web.Response:
    """End the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


def _status(answer: Answer) -> web.Response:
    """A refusal as the API server words it."""
    document = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": f"the fault proxy answers {answer.status}",
        "reason": "FaultProxy",
        "code": answer.status,
    }
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    return web.json_response(document, status=answer.status, headers=headers)
