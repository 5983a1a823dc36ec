"""`/healthz`, `/readyz` and `/metrics`, on a port that trial pods need not reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from tuning_operator.errors import Unavailable

Check = Callable[[], bool]


class ProbeServer:
    """Answers the kubelet and Prometheus.

    Parameters
    ----------
    healthy
        What must hold, by name; where one does not, the kubelet restarts the container. An answer in itself says that
        the event loop turns.
    ready
        What must hold for the pod to count as ready. A standby is ready, or else a rollout would never end.
    exposition
        Returns the metrics in Prometheus' text format.
    """

    def __init__(
        self,
        healthy: Mapping[str, Check],
        ready: Mapping[str, Check],
        exposition: Callable[[], bytes],
        *,
        content_type: str,
        host: str = "0.0.0.0",
        port: int = 8081,
    ) -> None:
        self._healthy = healthy
        self._ready = ready
        self._exposition = exposition
        self._content_type = content_type
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen, and return the port.

        Raises
        ------
        Unavailable
            The port is taken.
        """
        application = web.Application()
        application.router.add_get("/healthz", self._answer_health)
        application.router.add_get("/readyz", self._answer_readiness)
        application.router.add_get("/metrics", self._answer_metrics)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise Unavailable(f"probes can't be answered at {self._host}:{self._port}: {error}") from error
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer_health(self, _request: web.Request) -> web.Response:
        return _checked(self._healthy)

    async def _answer_readiness(self, _request: web.Request) -> web.Response:
        return _checked(self._ready)

    async def _answer_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._exposition(), headers={"Content-Type": self._content_type})


def _checked(checks: Mapping[str, Check]) -> web.Response:
    results = {name: check() for name, check in checks.items()}
    return web.json_response(results, status=200 if all(results.values()) else 503)
