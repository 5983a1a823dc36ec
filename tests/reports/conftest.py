"""The server that most tests here talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.reports.running_server import RunningServer, running_server


@pytest_asyncio.fixture
async def operator() -> AsyncIterator[RunningServer]:
    """Serve one study with one trial."""
    async with running_server() as running:
        yield running
