"""Durations as Kubernetes writes them: `90s`, `6h`, `1h30m`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from tuning_operator.api.model import CEL_RULES, cel

PATTERN = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$"
"""Hours, minutes and seconds in this order, each at most once; 99999h still fits Kubernetes' 32 bits of seconds."""

_UNITS = {"h": 3600, "m": 60, "s": 1}


@lru_cache(maxsize=1024)  # each look at each trial asks
def seconds_of(duration: str) -> int:
    """Return a duration's length in seconds.

    Raises
    ------
    ValueError
        It does not follow `PATTERN`, is empty, or is no time at all.
    """
    if not duration or not re.fullmatch(PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration; write hours, minutes and seconds like 90s, 6h or 1h30m")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([hms])", duration))
    if seconds == 0:
        raise ValueError(f"{duration!r} is no time at all; write at least 1s")
    return seconds


def _checked(duration: str) -> str:
    seconds_of(duration)
    return duration


Duration = Annotated[
    str,
    StringConstraints(min_length=2, max_length=18),
    AfterValidator(_checked),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 2,
            "maxLength": 18,
            CEL_RULES: [
                cel(f"self.matches('{PATTERN}')", "write hours, minutes and seconds like 90s, 6h or 1h30m"),
                cel("self.matches('[1-9]')", "a duration is at least 1s"),
            ],
        }
    ),
]
"""A field that holds a duration; `seconds_of` reads it."""
