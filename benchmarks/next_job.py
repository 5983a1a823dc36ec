"""From a trial's end to the POST of the next Job, with a hundred simulated trials at once.

From outside: a trial ends when its pod sends its last message, and the next Job begins when the API server receives its
POST. The k-th end frees the slot of the k-th Job after the first ones, so that ends and POSTs are paired in order. The
operator's own histogram starts when it has seen an end.

The reference loop watches Jobs and POSTs the next one as soon as it sees a Job Complete. It is paired in the same two
ways: from the end of its pods to the POST, and from the end as seen.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.bare_jobs import Plan, run_jobs
from benchmarks.cluster import MISSING, Cluster, cluster, pod, study
from benchmarks.figures import Figure, missing, quantile
from benchmarks.program import parser, run, say, sized
from benchmarks.simulated_trainer import read_ends
from tests.support.audit import AuditEvent

BUDGETS = {0.5: 50.0, 0.99: 250.0}
"""Milliseconds by quantile."""
NAME = "trial's end → next Job's POST"
HISTOGRAM = "tuning_trial_end_to_launch_seconds"
SECONDS = (5.0, 10.0)
"""How long a trial lasts: each another time, or all would end at once."""


def waits(ends: Sequence[float], posts: Sequence[AuditEvent], parallelism: int) -> list[float]:
    """Return how long each freed slot was empty, in milliseconds."""
    return [1_000 * (post.received_at - end) for end, post in zip(ends, posts[parallelism:], strict=False)]


def histogram_quantile(exposition: str, name: str, part: float) -> float:
    """Return the upper limit in milliseconds of the bucket that a quantile lies in."""
    pattern = re.compile(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)$', re.MULTILINE)
    buckets = [(float(limit), float(count)) for limit, count in pattern.findall(exposition)]
    total = buckets[-1][1] if buckets else 0.0
    return next((1_000 * limit for limit, count in buckets if total and count >= part * total), float("nan"))


@dataclass(frozen=True)
class Study:
    """What a study showed, in milliseconds."""

    waits: list[float]
    """How long each freed slot was empty."""
    histogram: dict[float, float]
    """The operator's own figures by quantile."""
    posts: list[float]
    """How long the API server took for the Jobs' POSTs."""


def measure_operator(on: Cluster, trials: int, parallelism: int) -> Study:
    """Run a study."""
    since, file = on.control_plane.audit_log.position(), on.folder / "study-ends"
    on.apply(study("next", trials, parallelism, SECONDS, file))
    on.wait_complete("next")
    posts = on.job_posts(since)
    exposition = on.operator.metrics()
    return Study(
        waits(read_ends(file), posts, parallelism),
        {part: histogram_quantile(exposition, HISTOGRAM, part) for part in BUDGETS},
        [1_000 * (post.answered_at - post.received_at) for post in posts[parallelism:]],
    )


def measure_bare(on: Cluster, trials: int, parallelism: int) -> tuple[list[float], list[float]]:
    """Run bare Jobs; return the waits since their pods' ends and since the ends as seen, in milliseconds."""
    since, file = on.control_plane.audit_log.position(), on.folder / "bare-ends"
    plane = on.control_plane
    plan = Plan(plane.url, str(plane.ca_file), plane.admin_token, on.namespace, pod(SECONDS, file), trials, parallelism)
    freed = run_jobs(plan)
    posts = on.job_posts(since, user="admin")
    seen = [1_000 * (post.received_at - freed[post.name]) for post in posts if post.name in freed]
    return waits(read_ends(file), posts, parallelism), seen


def measure_both(on: Cluster, trials: int, parallelism: int) -> list[Figure]:
    """Run the study, then the bare Jobs."""
    say(f"{trials} trials of {SECONDS[0]:g} to {SECONDS[1]:g} s, {parallelism} at once")
    found = measure_operator(on, trials, parallelism)
    on.delete_jobs()
    bare, bare_seen = measure_bare(on, trials, parallelism)
    figures = []
    for part, budget in BUDGETS.items():
        label = f"p{100 * part:.0f}"
        answers = f"the API server took {quantile(found.posts, part):.0f} ms for a POST"
        seen = f"the bare loop needs {quantile(bare_seen, part):.0f} ms from a Job's end as seen"
        own = f"the operator's histogram: at most {found.histogram[part]:.0f} ms"
        note = f"{trials} trials, {parallelism} at once; {own}; {answers}; {seen}"
        compared = "a loop that watches bare Jobs, from the pod's end"
        figures.append(
            Figure(
                f"{NAME}, {label}", "ms", budget, quantile(found.waits, part), quantile(bare, part), compared, note=note
            )
        )
    return figures


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure, or say what is missing."""
    try:
        with cluster() as on:
            parallelism = sized(options, "parallelism", 100, 20)
            return measure_both(on, sized(options, "trials", 4 * parallelism, 3 * parallelism), parallelism)
    except MISSING as reason:
        return [missing(NAME, "ms", str(reason), BUDGETS[0.5])]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--trials", type=int, help="trials (400)")
    made.add_argument("--parallelism", type=int, help="trials at once (100)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
