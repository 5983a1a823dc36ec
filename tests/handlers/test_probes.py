"""What the kubelet and Prometheus are answered."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tuning_operator.errors import Unavailable
from tuning_operator.handlers.probes import ProbeServer


class Probed:
    """A server whose checks a test turns."""

    def __init__(self) -> None:
        self.alive = self.listed = True
        self.server = ProbeServer(
            {"studies": lambda: self.alive},
            {"jobs": lambda: self.listed},
            lambda: b"tuning_trials 1\n",
            content_type="text/plain; version=0.0.4",
            host="127.0.0.1",
            port=0,
        )
        self.port = 0

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and body."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()


@pytest.fixture
async def probed() -> AsyncIterator[Probed]:
    """A server that listens."""
    probed = Probed()
    probed.port = await probed.server.start()
    yield probed
    await probed.server.stop()


async def test_what_does_not_hold_is_named(probed: Probed) -> None:
    assert await probed.get("/healthz") == (200, '{"studies": true}')
    probed.alive = False
    assert await probed.get("/healthz") == (503, '{"studies": false}')
    assert (await probed.get("/readyz"))[0] == 200, "health and readiness are different things"


async def test_readiness_has_its_own_checks(probed: Probed) -> None:
    probed.listed = False
    assert await probed.get("/readyz") == (503, '{"jobs": false}')
    assert (await probed.get("/healthz"))[0] == 200


async def test_metrics_are_served_as_they_are(probed: Probed) -> None:
    assert await probed.get("/metrics") == (200, "tuning_trials 1\n")


async def test_a_taken_port_is_a_sentence(probed: Probed) -> None:
    second = ProbeServer({}, {}, bytes, content_type="text/plain", host="127.0.0.1", port=probed.port)
    with pytest.raises(Unavailable, match=str(probed.port)):
        await second.start()
