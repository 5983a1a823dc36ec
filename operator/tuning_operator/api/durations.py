"""Durations as Kubernetes writes them: `90s`, `6h`, `1h30m`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

PATTERN = r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$"
"""Hours, minutes and seconds in this order, each at most once; the empty string is refused by its length."""

_UNITS = {"h": 3600, "m": 60, "s": 1}


def seconds_of(duration: str) -> int:
    """Return a duration's length in seconds.

    Raises
    ------
    ValueError
        It does not follow `PATTERN`, is empty, or is no time at all.
    """
    if not duration or not re.match(PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration; write hours, minutes and seconds like 90s, 6h or 1h30m")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))
    if seconds == 0:
        raise ValueError(f"{duration!r} is no time at all; write at least 1s")
    return seconds


def _checked(duration: str) -> str:
    seconds_of(duration)
    return duration


Duration = Annotated[str, StringConstraints(min_length=2, max_length=32, pattern=PATTERN), AfterValidator(_checked)]
"""A field that holds a duration; `seconds_of` reads it."""
