"""A clock that moves when a test says so."""

from __future__ import annotations

START = 1_800_000_000.0
"""Where fake clocks start, in seconds since 1970: a round number in 2027."""


class FakeClock:
    """Implements `Clock`."""

    def __init__(self, now: float = START) -> None:
        self._now = now

    def now(self) -> float:
        """Return seconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
