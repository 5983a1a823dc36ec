"""How many requests to the API server a trial costs, counted by the API server's own audit log.

All requests of the operator's account count from the study's creation to its end: Jobs, status, Events, watches and
the Lease's renewals, which go on whether there are trials or not. Jobs are deleted by Kubernetes, after their TTL.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable

from benchmarks.cluster import MISSING, Cluster, cluster, study
from benchmarks.figures import Figure, missing
from benchmarks.program import parser, run, say, sized
from tests.support.audit import AuditEvent

BUDGET = 1.2
"""Requests per trial."""
NAME = "API requests a trial"
PARALLELISM = 20


def counted(requests: Iterable[AuditEvent]) -> Counter[str]:
    """Count requests by verb and resource."""
    return Counter(f"{event.verb} {event.resource or event.uri.partition('?')[0]}" for event in requests)


def measure_requests(on: Cluster, trials: int) -> list[Figure]:
    """Run a study of trials of about 1 s."""
    since, start = on.control_plane.audit_log.position(), time.monotonic()
    on.apply(study("requests", trials, PARALLELISM, (0.8, 1.2)))
    on.wait_complete("requests")
    took = time.monotonic() - start
    all_counts = counted(on.requests(since))
    lease = all_counts["update leases"]
    listing = ", ".join(f"{count} {what}" for what, count in all_counts.most_common())
    say(f"{trials} trials in {took:.0f} s: {listing}")
    total = all_counts.total()
    note = f"{trials} trials of 1 s, {PARALLELISM} at once, in {took:.0f} s: {listing}"
    return [
        Figure(NAME, "", BUDGET, total / trials, 1.0, "bare Jobs: one POST each", note=note),
        Figure(f"{NAME}, without the Lease", "", BUDGET, (total - lease) / trials, 1.0, "bare Jobs: one POST each"),
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure, or say what is missing."""
    try:
        with cluster() as on:
            return measure_requests(on, sized(options, "trials", 200, 60))
    except MISSING as reason:
        return [missing(NAME, "", str(reason), BUDGET)]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--trials", type=int, help="trials (200)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
