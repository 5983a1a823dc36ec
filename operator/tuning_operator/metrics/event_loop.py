"""How long the event loop is blocked."""

from __future__ import annotations

import asyncio

from tuning_operator.metrics.recording import Metrics

_STALL_WINDOW = 60.0
"""Seconds; the longest stall shown is that of the current and the previous window, so that every scrape sees it."""


async def watch_event_loop(metrics: Metrics, interval: float = 0.05) -> None:
    """Measure, until cancelled, how late the loop wakes a sleeper: as long as it was busy with something else."""
    loop = asyncio.get_running_loop()
    previous = current = 0.0
    window_end = loop.time() + _STALL_WINDOW
    while True:
        due = loop.time() + interval
        await asyncio.sleep(interval)
        now = loop.time()
        if now > window_end:
            previous, current, window_end = current, 0.0, now + _STALL_WINDOW
        current = max(current, now - due)
        metrics.event_loop_stalled(max(previous, current))
