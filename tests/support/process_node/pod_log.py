"""What one container has written, with the time of each line, for any number of readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Line:
    """One line with its line end; only the last one may lack it."""

    time: datetime
    text: bytes


class PodLog:
    """Lines in memory. Whoever writes calls `write` and at last `close`; readers may come at any time."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._rest = b""
        self._closed = False
        self._changed = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Appends output in any portions; a line becomes visible when its end was written, or the log is closed."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        now = datetime.now(UTC)
        self._lines.extend(Line(now, line + b"\n") for line in lines)
        if lines:
            self._notify()

    def close(self) -> None:
        """Nothing more will be written; readers that follow come to their end."""
        if self._rest:
            self._lines.append(Line(datetime.now(UTC), self._rest))
            self._rest = b""
        self._closed = True
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def read(
        self, *, follow: bool = False, tail_lines: int | None = None, since: datetime | None = None
    ) -> AsyncIterator[Line]:
        """The last `tail_lines` of the lines not older than `since`; with `follow` also those still to come."""
        if since is not None and since.tzinfo is None:
            raise ValueError("a log is read since a time with a time zone")
        present = [line for line in self._lines if since is None or line.time >= since]
        position = len(self._lines)
        for line in present if tail_lines is None else present[max(0, len(present) - tail_lines) :]:
            yield line
        while follow:
            changed = self._changed
            fresh, position = self._lines[position:], len(self._lines)
            for line in fresh:
                yield line
            if len(self._lines) == position:
                if self._closed:
                    return
                await changed.wait()


def timestamped(line: Line) -> bytes:
    """The line with its time in front, as `kubectl logs --timestamps` shows it."""
    return line.time.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode() + line.text
