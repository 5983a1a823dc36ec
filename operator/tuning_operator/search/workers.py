"""What the repositories of one storage share."""

from __future__ import annotations

from dataclasses import dataclass

from tuning_operator.ports import Clock
from tuning_operator.search.asking_threads import AskingThreads
from tuning_operator.search.search_process import SearchProcess
from tuning_operator.search.writer import GroupCommit


@dataclass(frozen=True)
class Workers:
    """Everything that works for the studies of a storage."""

    writer: GroupCommit
    askers: AskingThreads
    search_process: SearchProcess
    """Where those run whose libraries are too heavy for this one."""
    clock: Clock
