"""What an operator goes through while it runs studies on a cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cluster import Cluster

STALL, PROCESSOR, MEMORY = (
    "tuning_event_loop_stall_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
)


@dataclass(frozen=True)
class Strain:
    """What the studies took."""

    seconds: float
    """From the first study's creation until all were complete."""
    stall: float
    """Longest time in which the event loop was blocked, in seconds."""
    processor: float
    """Seconds of processor time."""
    memory: float
    """Most memory that was seen, in MB."""
    requests: int
    """To the API server."""

    def in_words(self, trials: int) -> str:
        """Describe it for a number of trials."""
        requests, processor = self.requests / trials, 1_000 * self.processor / trials
        return (
            f"{requests:.2f} API requests and {processor:.1f} ms of processor time a trial; "
            f"longest stall of the event loop {1_000 * self.stall:.0f} ms; {self.memory:.0f} MB"
        )


def gauge(exposition: str, name: str) -> float:
    """Return the value of a metric without labels."""
    found = re.search(rf"^{name} (\S+)$", exposition, re.MULTILINE)
    return float(found.group(1)) if found else float("nan")


def run_studies(on: Cluster, studies: Sequence[dict[str, Any]], deadline: float) -> Strain:
    """Create studies and wait until all are complete, for at most so many seconds."""
    seen: list[tuple[float, float]] = []

    def look() -> None:
        exposition = on.operator.metrics()
        seen.append((gauge(exposition, STALL), gauge(exposition, MEMORY)))

    since, start, before = (
        on.control_plane.audit_log.position(),
        time.monotonic(),
        gauge(on.operator.metrics(), PROCESSOR),
    )
    for study in studies:
        on.apply(study)
    on.wait_all_complete(deadline, look)
    took = time.monotonic() - start
    look()
    processor = gauge(on.operator.metrics(), PROCESSOR) - before
    stalls, memories = zip(*seen, strict=True)
    return Strain(took, max(stalls), processor, max(memories) / 1e6, len(on.requests(since)))
