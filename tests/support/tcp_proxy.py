"""A TCP proxy on this machine: a Service in front of replicas, or a network that fails."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

Address = tuple[str, int]

_CHUNK = 65_536


class Network(Enum):
    """What becomes of the bytes."""

    WORKS = "works"
    CUT = "cut"
    """Connections are closed, new ones too."""
    SWALLOWS = "swallows"
    """Connections stay open, new ones are accepted, and nothing arrives."""


class TcpProxy:
    """Leads each new connection to one of the targets, chosen at random; a context manager with a thread of its own."""

    def __init__(self, targets: Sequence[Address]) -> None:
        self.targets = list(targets)
        self.port = 0
        self._network = Network.WORKS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> TcpProxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def switch(self, network: Network) -> None:
        """Let the network work or fail from now on; a change ends the connections that are open."""
        self._call(self._switch(network))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._end_connections()

    async def _switch(self, network: Network) -> None:
        was, self._network = self._network, network
        if network is Network.CUT or was is Network.SWALLOWS:
            await self._end_connections()

    async def _end_connections(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._network is not Network.CUT:
                await self._connect(reader, writer)
        except OSError:
            pass  # the target refuses: so does this end
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*random.choice(self.targets))
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            back.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                if self._network is Network.WORKS:
                    sink.write(data)
                    await sink.drain()
        sink.close()
