"""What the repositories of one storage share."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from tuning_operator.ports import Clock
from tuning_operator.search.search_process import SearchProcess
from tuning_operator.search.writer import GroupCommit


@dataclass(frozen=True)
class Workers:
    """Everything that works for the studies of a storage."""

    writer: GroupCommit
    askers: Executor
    """Threads that samplers run in, so that the event loop goes on."""
    search_process: SearchProcess
    """Where those run whose libraries are too heavy for this one."""
    clock: Clock
