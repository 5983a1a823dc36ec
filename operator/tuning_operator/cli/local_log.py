"""A trial's log on this machine: a file that grows while its process runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 0.3
"""Between two looks at a file that grows."""
_PIECE = 65_536


def copy_local_log(file: Path, write: Callable[[bytes], None], has_ended: Callable[[], bool]) -> None:
    """Write a file, and what is added to it until `has_ended` says that nothing will be."""
    ended = False
    with file.open("rb") as log:
        while True:
            while piece := log.read(_PIECE):
                write(piece)
            if ended:
                return
            ended = has_ended()
            if not ended:
                time.sleep(SECONDS)
