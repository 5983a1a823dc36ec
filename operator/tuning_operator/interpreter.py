"""How Python runs the operator: an event loop that must answer soon, threads beside it, a large history in memory."""

from __future__ import annotations

import gc
import sys

SWITCH_SECONDS = 0.0005
"""How soon a sampler's thread lets the event loop run; Python's default of 5 ms would delay every report."""

_NEW_OBJECTS = 10_000
"""Objects after which the garbage collector looks at the new ones; at Python's 700 it looks several times a report,
finds next to nothing, for most garbage needs no collector, and takes a tenth of the event loop's time."""


def prepare_interpreter() -> None:
    """Set the interpreter up."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
