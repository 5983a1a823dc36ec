"""How Python runs the operator: an event loop that must answer soon, threads beside it, a large history in memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_SECONDS = 0.0005
"""How soon a sampler's thread lets the event loop run; Python's default of 5 ms would delay every report."""

_NEW_OBJECTS = 10_000
"""Objects after which the garbage collector looks at the new ones; at Python's 700 it looks several times a report,
finds next to nothing, for most garbage needs no collector, and takes a tenth of the event loop's time."""


def prepare_interpreter() -> None:
    """Set the interpreter up."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


@contextmanager
def making_what_stays() -> Iterator[None]:
    """Let the garbage collector rest in the block, and never again look at what is in memory after it.

    A look at the history of 10,000 trials stops every thread for 0.2 s, and finds nothing: trials don't refer to
    each other. What nobody refers to any more is freed all the same, but for cycles: `look_at_all_again`.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def look_at_all_again() -> None:
    """Let the garbage collector look at everything, for some of what stayed is not needed any more."""
    gc.unfreeze()
