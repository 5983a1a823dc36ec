"""A hundred studies at once: how long they take together, and how long each waits for its first Job.

All are created one right after the other, each with a few trials of about 1 s, two at a time. The reference is a loop
that runs as many bare Jobs, as many at once.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.bare_jobs import Plan, run_jobs
from benchmarks.cluster import MISSING, Cluster, cluster, pod, study
from benchmarks.figures import Figure, missing, quantile
from benchmarks.operator_strain import run_studies
from benchmarks.program import parser, run, say, sized

NAME = "many studies"
FIRST_JOB_BUDGET = 1.0
"""Seconds from a study's creation to its first Job's POST."""
TRIALS, AT_ONCE, SECONDS = 5, 2, (0.8, 1.2)
"""Of each study."""


def first_jobs(on: Cluster, since: int) -> list[float]:
    """Return for each study the seconds from its creation to its first Job's POST."""
    created = {
        event.name: event.received_at
        for event in on.requests(since, user="admin")
        if (event.verb, event.resource) == ("create", "tuningstudies")
    }
    first: dict[str, float] = {}
    for post in on.job_posts(since):
        first.setdefault(post.name.rsplit("-", 3)[0], post.received_at)
    return [first[name] - at for name, at in created.items()]


def measure_studies(on: Cluster, studies: int) -> list[Figure]:
    """Run the studies, then the bare Jobs."""
    say(f"{studies} studies of {TRIALS} trials")
    since = on.control_plane.audit_log.position()
    run_studies(on, [study("alone", TRIALS, AT_ONCE, SECONDS)], deadline=60.0)
    (alone,) = first_jobs(on, since)
    since = on.control_plane.audit_log.position()
    strain = run_studies(on, [study(f"many-{n}", TRIALS, AT_ONCE, SECONDS) for n in range(studies)], deadline=300.0)
    waits = first_jobs(on, since)
    on.delete_jobs()
    plane, jobs, start = on.control_plane, studies * TRIALS, time.monotonic()
    run_jobs(
        Plan(plane.url, str(plane.ca_file), plane.admin_token, on.namespace, pod(SECONDS), jobs, studies * AT_ONCE)
    )
    bare = time.monotonic() - start
    label = f"{studies} studies at once"
    note = f"{TRIALS} trials of 1 s each, {AT_ONCE} at once; {strain.in_words(jobs)}"
    waited, compared = f"from each study's creation; the longest {max(waits):.2f} s", "one study alone"
    return [
        Figure(f"{label}: until all are complete", "s", None, strain.seconds, bare, "a loop with bare Jobs", note=note),
        Figure(
            f"{label}: → first Job's POST, p50",
            "s",
            FIRST_JOB_BUDGET,
            quantile(waits, 0.5),
            alone,
            compared,
            note=waited,
        ),
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure, or say what is missing."""
    try:
        with cluster() as on:
            return measure_studies(on, sized(options, "studies", 100, 10))
    except MISSING as reason:
        return [missing(NAME, "s", str(reason))]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--studies", type=int, help="studies (100)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
