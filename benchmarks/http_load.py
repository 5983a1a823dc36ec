"""Reports from many keep-alive connections, in a process of its own: what trial pods do, as cheaply as Python can.

Each connection belongs to a *caller*, which sends the reports of some trials one after the other. With a rate the
callers keep to a timetable, and a report that has to wait for the answer before it counts from when it was due; without
one each sends the next report as soon as the last was answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.figures import quantile
from tuning_contract import Report, ReportBatch

LONGEST_WARM_UP = 1.0
"""Seconds of load before measuring."""


@dataclass(frozen=True)
class Load:
    """What is sent."""

    port: int
    """On 127.0.0.1."""
    targets: Sequence[tuple[str, str]]
    """Path and bearer credential of each trial."""
    callers: int
    """Connections, at most one for each trial; a trial belongs to one of them."""
    seconds: float
    """How long is measured, after the warm-up."""
    rate: float | None = None
    """Reports per second of all callers together; None: as fast as the answers come."""
    first_step: int = 1
    """Step of each trial's first report: a step is stored once."""
    bundle: int = 1
    """Reports in a request: the SDK sends together what a trial reported while it waited for an answer."""

    @property
    def warm_up(self) -> float:
        """Seconds of load before the measured ones."""
        return min(LONGEST_WARM_UP, self.seconds)


@dataclass(frozen=True)
class Latency:
    """Answers' times in milliseconds."""

    p50: float
    p99: float
    count: int
    per_second: float


def summarize(seconds: Sequence[float], elapsed: float) -> Latency:
    """Summarize what was measured within `elapsed` seconds."""
    return Latency(
        1_000 * quantile(seconds, 0.5), 1_000 * quantile(seconds, 0.99), len(seconds), len(seconds) / elapsed
    )


async def send(load: Load) -> Latency:
    """Let a process of its own send the load."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.http_load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await process.communicate(json.dumps(asdict(load)).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise SystemExit("the clients failed; their error stands above")
    return Latency(**json.loads(output))


async def _send_here(load: Load) -> Latency:
    measured: list[float] = []
    connections = [await asyncio.open_connection("127.0.0.1", load.port) for _ in range(load.callers)]
    begin = time.perf_counter() + 0.05
    callers = (_Caller(load, index, begin, *connections[index]) for index in range(load.callers))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(caller.run()) for caller in callers]
    for task in tasks:
        measured += task.result()
    return summarize(measured, load.seconds)


class _Caller:
    """One connection."""

    def __init__(
        self, load: Load, index: int, begin: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._load, self._index, self._begin = load, index, begin
        self._reader, self._writer = reader, writer
        self._targets = load.targets[index :: load.callers]

    async def run(self) -> list[float]:
        """Send until the time is over; return what was measured, in seconds."""
        measured: list[float] = []
        first = self._begin + self._load.warm_up
        end = first + self._load.seconds
        for number in itertools.count():
            start = await self._turn(number)
            if start >= end:
                break
            await self._report(number)
            if start >= first:
                measured.append(time.perf_counter() - start)
        self._writer.close()
        return measured

    async def _turn(self, number: int) -> float:
        """Wait for the timetable; return from when the report's time counts."""
        if self._load.rate is None:
            return max(self._begin, time.perf_counter())
        due = self._begin + (self._index + number * self._load.callers) / self._load.rate
        await asyncio.sleep(due - time.perf_counter())
        return due

    async def _report(self, number: int) -> None:
        round_, position = divmod(number, len(self._targets))
        path, token = self._targets[position]
        # A trial better than all others is never pruned and goes on reporting.
        first, bundle = self._load.first_step + round_ * self._load.bundle, self._load.bundle
        body = ReportBatch(tuple(Report(first + i, {"accuracy": 2.0}) for i in range(bundle))).to_json()
        head = f"POST {path} HTTP/1.1\r\nHost: operator\r\nAuthorization: Bearer {token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        reply = await self._reader.readexactly(int(length))
        if not answer.startswith(b"HTTP/1.1 200") or b'"stop": false' not in reply:
            raise SystemExit(f"the server answered {answer[:40]!r} {reply[:200]!r}")


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_send_here(Load(**json.load(sys.stdin)))))))
