"""The API server's clock, as far as its answers tell: the operator lives by it.

A Job's times are the API server's, and a machine's own clock may be hours off, or be set. Two clocks that are compared
make a pending Job overdue at once, or never; so there is one, for everything that the operator decides and stores.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

_log = logging.getLogger(__name__)

NOTABLE_SECONDS = 10.0
"""A difference of clocks that whoever looks after the machine should hear of."""
CONFIRMATION_SECONDS = 60.0
"""For so long all answers must agree on such a difference, but for the first one of all: one of several API servers, or
a proxy that answers in their place, may be wrong."""
_EARLIEST, _LATEST = 1_577_836_800.0, 7_258_118_400.0
"""The years 2020 and 2200 begin: no API server of this project's lives before or after."""


class ServerClock:
    """Implements `Clock`. It is moved only by an answer that proves it wrong, and no further than that needs.

    So it agrees with the API server's to a second or two, the resolution of the Date header and the time that an answer
    takes. Between two answers it is the machine's monotonic clock, which nobody sets; before the first one it shows the
    machine's own time.
    """

    def __init__(
        self, machine: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._offset = machine() - monotonic()
        """What the monotonic clock lacks, in seconds since 1970."""
        self._has_heard = False
        self._odd_since: float | None = None
        """Since when each answer showed a notable difference, on the monotonic clock; None: the last one did not."""

    def now(self) -> float:
        """Return seconds since 1970."""
        return self._monotonic() + self._offset

    def ticks(self) -> float:
        """Return when a request is sent, for `hear`."""
        return self._monotonic()

    def hear(self, date: str | None, sent: float) -> None:
        """Take in the Date header of an answer that came just now; `sent` is what `ticks` said before its request."""
        written = _seconds(date)
        if written is None or not _EARLIEST <= written < _LATEST:
            return
        # It was written after the request was sent and before now, and the server's clock showed up to a second more.
        earliest, latest = written - self._monotonic(), written + 1.0 - sent
        offset = min(max(self._offset, earliest), latest)
        moved = offset - self._offset
        is_notable = abs(moved) >= NOTABLE_SECONDS
        if is_notable and self._has_heard and not self._is_confirmed():
            return
        self._has_heard, self._odd_since, self._offset = True, None, offset
        if is_notable:
            way = "behind" if moved > 0 else "ahead"
            _log.warning("the API server's clock is taken: the one in use was %.0f s %s of it", abs(moved), way)

    def _is_confirmed(self) -> bool:
        now = self._monotonic()
        if self._odd_since is None:
            self._odd_since = now
        return now - self._odd_since >= CONFIRMATION_SECONDS


def _seconds(date: str | None) -> float | None:
    """Return the seconds since 1970 of a Date header (RFC 9110, section 5.6.7); None if it is none."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
