"""kopf, in a thread and an event loop of its own.

When kopf ends it cancels every task that was made in its loop since it began; in the operator's own loop these would be
the studies' tasks and the reports under way. And a slow start of a handler would hold up reports.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kopf

from tuning_operator.cluster.credentials import Credentials
from tuning_operator.errors import ClusterUnavailable
from tuning_operator.handlers.startup import kopf_settings
from tuning_operator.handlers.studies import Deliver, studies_registry

STOP_SECONDS = 10.0
"""Seconds that kopf has to end; after that its thread is left to the end of the process."""
FAREWELL_SECONDS = 0.25
"""Seconds that kopf's TLS connections have to close after it ended."""


class StudyWatch:
    """Watches the studies of some namespaces, or of all; `deliver` is called in the loop that `run` runs in."""

    def __init__(self, namespaces: Sequence[str], load: Callable[[], Credentials], deliver: Deliver) -> None:
        self._namespaces = namespaces
        self._load = load
        self._deliver = deliver
        self._stopping = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled.

        Raises
        ------
        ClusterUnavailable
            kopf ended by itself: the API server was away for minutes, or answered what kopf can't go on from.
        """
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        flags: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        problems: list[BaseException] = []

        def deliver(kind: str | None, document: Mapping[str, Any]) -> None:
            loop.call_soon_threadsafe(self._deliver, kind, document)

        async def operate() -> None:
            stop = asyncio.Event()
            flags.append((asyncio.get_running_loop(), stop))
            if self._stopping.is_set():
                return
            await kopf.operator(
                registry=studies_registry(deliver, self._load),
                settings=kopf_settings(),
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                # kopf's own would contain the user's name, and the user of a container need not have one.
                identity="tuning-operator",  # type: ignore[arg-type]
                stop_flag=stop,
            )
            await asyncio.sleep(FAREWELL_SECONDS)

        def work() -> None:
            try:
                asyncio.run(operate())
            except BaseException as error:  # noqa: BLE001 - it is raised again, in the operator's thread
                problems.append(error)
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=work, name="watch of studies", daemon=True).start()
        try:
            await ended.wait()
        finally:
            self._stopping.set()
            for its_loop, stop in flags:
                if not its_loop.is_closed():
                    its_loop.call_soon_threadsafe(stop.set)
            await _wait(ended)
        raise ClusterUnavailable("the watch of studies ended by itself") from next(iter(problems), None)


async def _wait(ended: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(ended.wait(), STOP_SECONDS)
    except TimeoutError:
        return
