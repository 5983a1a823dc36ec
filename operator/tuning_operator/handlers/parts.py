"""How the parts of the operator run: beside each other, until it is stopped, and again while something is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from tuning_operator.errors import NotFound, Unavailable

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

RETRY_SECONDS = 3.0
"""Seconds between attempts at what the operator can't start without."""


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let some work run for as long as the block does."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(stopping: asyncio.Event, *parts: Coroutine[Any, Any, Any]) -> Any:
    """Run the parts until one of them ends, and return or raise what it did; None when the operator is stopped."""
    stopped = asyncio.create_task(stopping.wait())
    running = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopped, *running):
            task.cancel()
        await asyncio.gather(stopped, *running, return_exceptions=True)
    results = [task.result() for task in running if task in done]
    return next(iter(results), None)


async def patiently(step: Callable[[], Awaitable[_T]], complaint: str) -> _T:
    """Repeat a step until it succeeds; complain once for each new reason."""
    said = ""
    while True:
        try:
            return await step()
        except (Unavailable, NotFound) as error:
            if str(error) != said:
                _log.warning("%s, and it is tried again: %s", complaint, error)
            said = str(error)
        await asyncio.sleep(RETRY_SECONDS)
