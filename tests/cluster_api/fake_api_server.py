"""An API server for Jobs that misbehaves on request: it lists, watches, creates and deletes, and fails as told.

Of pods it lists what a test says, and serves their logs.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.support.process_node.pod_log import PodLog, timestamped
from tuning_operator.cluster.credentials import Credentials


@dataclass
class Fault:
    """What happens instead of the usual, to requests with a verb (WATCH for watches, LOG for logs); `times` of them."""

    verb: str
    status: int = 500
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    drop: bool = False
    """Close the connection without an answer."""
    after: bool = False
    """Do first what was asked for."""


class FakeApiServer:
    """Starts with `async with`; `credentials` says where it is."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: list[dict[str, Any]] = []
        self.logs: dict[str, PodLog] = {}
        """By the pod's name."""
        self.requests: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        """Verb, path, query and headers of every request."""
        self.faults: list[Fault] = []
        self.page_size = 500
        self.silent = False
        """Whether watches stay open and tell nothing, as a half-open connection does."""
        self.on_list: Callable[[], None] = lambda: None
        """Called after a list was made and before it is sent."""
        self._version = 100
        self._compacted = 0
        self._history: list[tuple[int, dict[str, Any]]] = []
        self._watches: set[_Watch] = set()
        self._log_streams: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> FakeApiServer:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end_watches()
        self.end_logs()
        await self._runner.cleanup()

    @property
    def credentials(self) -> Credentials:
        """Where it is, with a token."""
        return Credentials(self.url, "Bearer token-1")

    # What happens in the cluster

    def put(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Create or change a Job."""
        name = job["metadata"]["name"]
        kind = "MODIFIED" if name in self.jobs else "ADDED"
        document = copy.deepcopy(dict(job))
        document["metadata"].setdefault("uid", f"uid-of-{name}")
        document["metadata"].setdefault("namespace", "team")
        document["metadata"].setdefault("creationTimestamp", "2027-01-15T08:00:00Z")
        self.jobs[name] = document
        self._record(kind, document)
        return document

    def set_status(self, name: str, **status: Any) -> None:
        """Change a Job's status."""
        self.put({**self.jobs[name], "status": status})

    def remove(self, name: str) -> None:
        """Delete a Job."""
        self._record("DELETED", self.jobs.pop(name))

    # What goes wrong

    def fail(self, *faults: Fault) -> None:
        """Let requests fail from now on."""
        self.faults.extend(faults)

    def compact(self) -> None:
        """Forget the history: who asks for an older version is told 410."""
        self._history.clear()
        self._compacted = self._version

    def end_watches(self) -> None:
        """End all streams."""
        for watch in self._watches:
            watch.queue.append(None)
            watch.news.set()

    def send_line(self, line: bytes) -> None:
        """Send a line to all watches."""
        for watch in self._watches:
            watch.queue.append(line)
            watch.news.set()

    def count(self, verb: str, path_end: str = "") -> int:
        """Return how many requests there were."""
        return sum(1 for found, path, _, _ in self.requests if found == verb and path.endswith(path_end))

    # Requests

    def end_logs(self) -> None:
        """End all streams of logs, as if that was all; who reads them sees no error."""
        for stream in self._log_streams:
            stream.cancel()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        verb = "WATCH" if "watch" in request.query else "LOG" if request.path.endswith("/log") else request.method
        self.requests.append((verb, request.path, dict(request.query), dict(request.headers)))
        fault = next((each for each in self.faults if each.verb == verb), None)
        if fault is not None:
            fault.times -= 1
            if not fault.times:
                self.faults.remove(fault)
            if fault.after:
                await self._serve(verb, request)
            if fault.drop:
                assert request.transport is not None
                request.transport.close()
            return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
        return await self._serve(verb, request)

    async def _serve(self, verb: str, request: web.Request) -> web.StreamResponse:
        if verb == "WATCH":
            return await self._watch(request)
        if verb == "POST":
            return self._create(await request.json())
        if verb == "LOG":
            return await self._log(request)
        name = request.path.rsplit("/", 1)[-1]
        if name == "pods":
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": self.pods})
        if name == "jobs":
            return self._list(request)
        if name not in self.jobs:
            return _status(404, f'jobs.batch "{name}" not found')
        if verb == "DELETE":
            self.remove(name)
            return web.json_response({"status": "Success"})
        return web.json_response(self.jobs[name])

    async def _log(self, request: web.Request) -> web.StreamResponse:
        pod, query = request.path.split("/")[-2], request.query
        if pod not in self.logs:
            return _status(404, f'pods "{pod}" not found')
        response = web.StreamResponse()
        await response.prepare(request)
        sending = asyncio.create_task(_send(self.logs[pod], query, response))
        self._log_streams.add(sending)
        await asyncio.wait({sending})
        self._log_streams.discard(sending)
        return response

    def _create(self, job: dict[str, Any]) -> web.Response:
        name = job["metadata"]["name"]
        if name in self.jobs:
            return _status(409, f'jobs.batch "{name}" already exists')
        return web.json_response(self.put(job), status=201)

    def _list(self, request: web.Request) -> web.Response:
        start = int(request.query.get("continue", "0"))
        jobs = list(self.jobs.values())[start : start + self.page_size]
        metadata = {"resourceVersion": str(self._version)}
        if start + self.page_size < len(self.jobs):
            metadata["continue"] = str(start + self.page_size)
        response = web.json_response({"metadata": metadata, "items": jobs})
        self.on_list()
        return response

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        version = int(request.query["resourceVersion"])
        end = asyncio.get_running_loop().time() + int(request.query["timeoutSeconds"])
        watch = _Watch()
        if version < self._compacted:
            error = {"code": 410, "message": "too old resource version"}
            watch.queue.extend([_line({"type": "ERROR", "object": error}), None])
        else:
            watch.queue.extend(_line(event) for number, event in self._history if number > version)
        self._watches.add(watch)
        try:
            while True:
                while watch.queue and not self.silent:
                    line = watch.queue.popleft()
                    if line is None:
                        return response
                    await response.write(line)
                watch.news.clear()
                async with asyncio.timeout_at(end):
                    await watch.news.wait()
        except TimeoutError:
            return response
        finally:
            self._watches.discard(watch)

    def _record(self, kind: str, job: dict[str, Any]) -> None:
        self._version += 1
        job["metadata"]["resourceVersion"] = str(self._version)
        event = {"type": kind, "object": copy.deepcopy(job)}
        self._history.append((self._version, event))
        self.send_line(_line(event))


class _Watch:
    def __init__(self) -> None:
        self.queue: deque[bytes | None] = deque()
        self.news = asyncio.Event()
        self.news.set()


async def _send(log: PodLog, query: Mapping[str, str], response: web.StreamResponse) -> None:
    since = datetime.fromisoformat(query["sinceTime"]) if "sinceTime" in query else None
    async for line in log.read(follow=query.get("follow") == "true", since=since):
        await response.write(timestamped(line))


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)
