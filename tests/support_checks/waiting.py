"""Waiting for conditions, without timed assertions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 60.0
"""Far beyond what anything here takes: only a condition that never comes true reaches it."""


def wait_for(observe: Callable[[], T | None], what: str) -> T:
    """The first value of `observe` that is neither None nor False nor empty. Raises TimeoutError with the last one."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := observe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {DEADLINE_S:.0f} s; last seen: {value!r}")
        time.sleep(0.05)
    return value
