"""Which run of which attempt sends reports."""

from __future__ import annotations

from typing import NamedTuple


class AttemptAddress(NamedTuple):
    """What the address that a trial's pod reports to says of it."""

    uid: str
    """Of the study."""
    trial: int
    attempt: int
    run: int = 0
