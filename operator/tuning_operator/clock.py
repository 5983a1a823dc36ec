"""The machine's clock, for runs on one machine. Decisions never read any: they get the time with their snapshot."""

from __future__ import annotations

import time


class SystemClock:
    """Implements `Clock`."""

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()
