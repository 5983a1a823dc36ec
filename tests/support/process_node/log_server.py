"""Serves pods' logs where the API server asks a kubelet for them: `/containerLogs/{namespace}/{pod}/{container}`."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from ..certificates import write_serving_certificate
from .pod_log import Line, timestamped
from .pod_runner import PodRunner

FindRunner = Callable[[str, str], PodRunner | None]
"""(namespace, pod) -> its runner."""


@asynccontextmanager
async def serve_logs(find_runner: FindRunner, folder: Path) -> AsyncIterator[int]:
    """Serves over TLS on a port of 127.0.0.1 while entered, and yields the port."""
    certificate, key, _ = write_serving_certificate(folder, "node")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    application = web.Application()
    application.router.add_get(
        "/containerLogs/{namespace}/{pod}/{container}", lambda request: _send_log(request, find_runner)
    )
    # A reader that leaves must end its handler: a silent pod would keep it for ever.
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _send_log(request: web.Request, find_runner: FindRunner) -> web.StreamResponse:
    runner = find_runner(request.match_info["namespace"], request.match_info["pod"])
    refusal = _refusal(runner, request.match_info["container"])
    if runner is None or refusal is not None:
        return web.Response(status=404 if runner is None else 400, text=refusal)
    query = request.query
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    left = int(query.get("limitBytes", 2**62))
    lines = runner.log.read(
        follow=query.get("follow") == "true",
        tail_lines=int(query["tailLines"]) if "tailLines" in query else None,
        since=_since(query),
    )
    async for line in lines:
        text = _text(line, query)[:left]
        left -= len(text)
        await response.write(text)
        if left == 0:
            break
    await response.write_eof()
    return response


def _refusal(runner: PodRunner | None, container: str) -> str | None:
    if runner is None:
        return "pod does not exist on this node"
    name = runner.pod["metadata"]["name"]
    if container != runner.pod["spec"]["containers"][0]["name"]:
        return f'container "{container}" in pod "{name}" is not run by this node'
    if not runner.has_started:
        return f'container "{container}" in pod "{name}" is waiting to start'
    return None


def _text(line: Line, query: Mapping[str, str]) -> bytes:
    return timestamped(line) if query.get("timestamps") == "true" else line.text


def _since(query: Mapping[str, str]) -> datetime | None:
    if "sinceTime" in query:
        return datetime.fromisoformat(query["sinceTime"])
    if "sinceSeconds" in query:
        return datetime.now(UTC) - timedelta(seconds=int(query["sinceSeconds"]))
    return None
