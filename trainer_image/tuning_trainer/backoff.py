"""How long to wait before a request is repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Exponential delays with jitter, so that a thousand trials do not return to a restarted operator at once."""

    first: float = 0.2
    """Longest first delay in seconds."""
    ceiling: float = 10.0
    """Longest delay in seconds: an operator restarts within seconds, and a last report should not wait much longer."""

    def delays(self) -> Iterator[float]:
        """Yield the delays in seconds without end, each drawn from the upper half of its range."""
        longest = self.first
        while True:
            yield random.uniform(longest / 2, longest)
            longest = min(2 * longest, self.ceiling)
