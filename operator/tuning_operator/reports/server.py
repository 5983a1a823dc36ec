"""The HTTP server that trials report to; the operator's and the local runner's."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tuning_contract.reports import MAX_BODY_BYTES
from tuning_operator.errors import Unavailable
from tuning_operator.metrics.recording import Metrics
from tuning_operator.ports import TrialRepositories, TrialRepository
from tuning_operator.reports import parameter_endpoint, report_endpoint
from tuning_operator.reports.certificate import ServingCertificate
from tuning_operator.reports.connections import Connections
from tuning_operator.reports.forwarding import Forwarding, Leader
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.parameter_endpoint import ParameterEndpoint
from tuning_operator.reports.read_api import TRIAL_ROUTE, TRIALS_ROUTE, FindStudy, ReadApi
from tuning_operator.reports.reception import Awaited, Gone, Reception, Wake
from tuning_operator.reports.refusals import answer_errors
from tuning_operator.reports.report_endpoint import ReportEndpoint

if TYPE_CHECKING:  # a run without a cluster does without cryptography
    from tuning_operator.reports.pod_tokens import PodTokens

_BACKLOG = 1_024
"""Connections that may wait to be accepted: a wave of trials starts at once."""
_HEADER_BYTES = 8_190
"""Longest request line, and longest header."""
_HEADERS = 64
"""Most headers of a request."""

_protocol_log = logging.getLogger(f"{__name__}.protocol")
# What aiohttp logs itself is a client's broken HTTP, with a stack trace each; a handler's errors are logged by us.
_protocol_log.setLevel(logging.CRITICAL)


def _never(_uid: str) -> bool:
    return False


def _here() -> None:
    return None


def _no_study(_namespace: str, _name: str) -> tuple[str, TrialRepository] | None:
    return None


class ReportServer:
    """Serves the endpoints of trials, the read API and `/healthz` on one port.

    Parameters
    ----------
    repositories
        Where reports go; a study that is not open in it is answered 503, so that its trials come again.
    key
        What the credentials are derived from: `TrialRepositories.secret_key()`.
    wake
        Called with a study's uid when a report means that the study should be looked at now.
    gone
        Says of a uid that its study was deleted: its trials are told to stop. It must be sure.
    awaited
        Says of a uid that its study may be opened yet: its trials come again, whatever their credentials are.
    find_study
        (namespace, name) -> uid and history, for the read API; by default no study can be read.
    leader
        Base URL of the operator that requests are passed on to, empty while there is none; None: serve them here.
    host, port
        Where to listen; port 0 takes a free one.
    certificate
        What connections are encrypted with; None: plain HTTP.
    pod_tokens
        Checks pods' own tokens; None: attempts have none.
    """

    def __init__(
        self,
        repositories: TrialRepositories,
        key: bytes,
        *,
        wake: Wake,
        gone: Gone = _never,
        awaited: Awaited = _never,
        find_study: FindStudy = _no_study,
        leader: Leader = _here,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: ServingCertificate | None = None,
        pod_tokens: PodTokens | None = None,
    ) -> None:
        limits, metrics = limits or Limits(), metrics or Metrics()
        self._host, self._port = host, port
        self._certificate = certificate
        self._connections = Connections(limits, certificate)
        reception = Reception(repositories, key, gone, awaited, limits, metrics, pod_tokens)
        self._reports = ReportEndpoint(reception, wake, metrics)
        self._parameters = ParameterEndpoint(reception, wake)
        self._forwarding = Forwarding(leader, limits, metrics, certificate)
        self._read_api = ReadApi(find_study, key, limits)
        self._limits = limits
        self._closing = AsyncExitStack()

    async def start(self) -> int:
        """Listen, and return the port.

        Raises
        ------
        Unavailable
            The address can't be listened on.
        """
        runner = self._make_runner()
        await runner.setup()
        assert runner.server is not None
        try:
            listener = _listen(self._host, self._port)
        except OSError as error:
            await runner.cleanup()
            raise Unavailable(f"reports can't be received at {self._host}:{self._port}: {error}") from error
        # Undone the other way round: no new connections, then the requests under way, then whatever is still open.
        self._closing.push_async_callback(self._connections.close)
        self._closing.push_async_callback(self._forwarding.close)
        self._closing.push_async_callback(runner.cleanup)
        self._closing.callback(listener.close)
        self._beside(self._connections.accept(listener, runner.server))
        if self._certificate is not None:
            self._beside(self._certificate.follow())
        return int(listener.getsockname()[1])

    async def drain(self, seconds: float) -> None:
        """Return when everything is answered that is served here, at the latest after `seconds`.

        Call it when `leader` returns None no more; what comes meanwhile is passed on or asked to come again.
        """
        await self._forwarding.drain(seconds)

    async def stop(self) -> None:
        """Take no more connections, answer the requests under way (for at most 10 s), and close."""
        await self._closing.aclose()

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._closing.push_async_callback(end)

    def _make_runner(self) -> web.AppRunner:
        return web.AppRunner(
            self._application(),
            access_log=None,
            logger=_protocol_log,
            keepalive_timeout=self._limits.keep_alive_seconds,
            lingering_time=self._limits.linger_seconds,
            auto_decompress=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            max_headers=_HEADERS,
            shutdown_timeout=10.0,
        )

    def _application(self) -> web.Application:
        middlewares = (self._connections.notice_request, answer_errors, self._forwarding.forward)
        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=middlewares)
        application.router.add_post(report_endpoint.ROUTE, self._reports.receive)
        application.router.add_post(parameter_endpoint.ROUTE, self._parameters.answer)
        application.router.add_get(TRIALS_ROUTE, self._read_api.trials, allow_head=False)
        application.router.add_get(TRIAL_ROUTE, self._read_api.trial, allow_head=False)
        application.router.add_get("/healthz", _healthz)
        return application


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
