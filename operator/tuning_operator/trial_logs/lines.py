"""Bytes of a log, in any portions, to lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

MAX_LINE = 16 * 1024
"""Bytes of a line that is read; container runtimes cut lines at the same length. Longer ones are skipped."""

_LONGEST_STAMP = 64
"""Bytes in which a time stamp must end."""


@dataclass(frozen=True)
class LogLine:
    """One line, without its end."""

    text: bytes
    stamp: bytes = b""
    """When it was written, in the words of the container's runtime; empty where nobody noted it."""

    @property
    def time(self) -> float | None:
        """When it was written, in seconds since 1970, to the microsecond."""
        return datetime.fromisoformat(self.stamp.decode()).timestamp() if self.stamp else None


class LogLines:
    """Splits a log. Of a line that is redrawn with carriage returns, as progress bars do, the last state counts."""

    def __init__(self, *, stamped: bool) -> None:
        """`stamped` says that each line begins with its time and a space, as the API server adds them."""
        self._stamped = stamped
        self._rest = b""
        self._first = b""
        """The first line without a time stamp in a stamped log."""
        self._stamps = False

    @property
    def complaint(self) -> str:
        """What came in the place of a stamped log: a kubelet that can't read one says why, in a line without stamp."""
        begun = b"" if _split_stamp(self._rest)[0] else self._rest
        return "" if self._stamps or not self._stamped else (self._first or begun).decode(errors="replace")

    def feed(self, chunk: bytes) -> Iterator[LogLine]:
        """Yield the lines that end in the chunk."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = self._shortened(rest)
        return (line for text in lines if (line := self._line(text)) is not None)

    def close(self) -> Iterator[LogLine]:
        """Yield the last line, which may lack its end."""
        rest, self._rest = self._rest, b""
        if rest and (line := self._line(rest)) is not None:
            yield line

    def _line(self, text: bytes) -> LogLine | None:
        stamp = b""
        if self._stamped:
            stamp, text = _split_stamp(text)
            if not stamp:
                self._first = self._first or text[:MAX_LINE]
                return None
            self._stamps = True
        text = _as_drawn(text)
        return LogLine(text, stamp) if len(text) <= MAX_LINE else None

    def _shortened(self, rest: bytes) -> bytes:
        """Return the beginning of a line within bounds: nothing of it counts but its stamp and what was drawn last."""
        if len(rest) <= 2 * MAX_LINE:
            return rest
        stamp, text = _split_stamp(rest) if self._stamped else (b"", rest)
        if self._stamped and not stamp:
            return rest[: MAX_LINE + 1]
        # What is too long already stays too long until it is redrawn.
        drawn = _as_drawn(text)[: MAX_LINE + 1] + (b"\r" if text.endswith(b"\r") else b"")
        return stamp + b" " + drawn if stamp else drawn


def _as_drawn(text: bytes) -> bytes:
    if b"\r" not in text:
        return text
    return text.rstrip(b"\r").rpartition(b"\r")[2]


def _split_stamp(line: bytes) -> tuple[bytes, bytes]:
    """Return stamp and text of a line; an empty stamp if it begins with none."""
    end = line.find(b" ", 0, _LONGEST_STAMP)
    stamp = line[:end] if end > 0 else line[:_LONGEST_STAMP]
    if len(stamp) < 20 or stamp[10:11] != b"T":
        return b"", line
    try:
        known = datetime.fromisoformat(stamp.decode("ascii")).tzinfo is not None
    except ValueError:
        known = False
    return (stamp, line[len(stamp) + 1 :]) if known else (b"", line)
