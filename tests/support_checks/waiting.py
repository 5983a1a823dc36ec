"""Waiting for conditions, without timed assertions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
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


def is_running(pid: int) -> bool:
    """Whether the process still runs. A zombie does not: in some containers nobody collects the orphans."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # gone since, or a system without /proc
