"""From a trial's end to the POST of the next Job, with a hundred simulated trials at once.

From outside: a trial ends when its pod sends its last message, and the next Job begins when the API server receives its
POST. The k-th end frees the slot of the k-th Job after the first ones, so that ends and POSTs are paired in order. The
operator's own histogram starts when it has seen an end.

The same again for studies of ten parameters and longer trials, once a thousand of theirs have finished: with TPE, and
at random. Eight hundred ends a minute, as above, would say more of two cores than of the search.

The reference loop watches Jobs and POSTs the next one as soon as it sees a Job Complete. It is paired in the same two
ways: from the end of its pods to the POST, and from the end as seen.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bare_jobs import Plan, run_jobs
from benchmarks.cluster import DEADLINE_SECONDS, MISSING, Cluster, cluster, pod, study
from benchmarks.figures import Figure, missing, quantile
from benchmarks.mixed_space import PARAMETERS
from benchmarks.program import parser, run, say, sized
from benchmarks.simulated_trainer import read_ends
from tests.support.audit import AuditEvent

BUDGETS = {0.5: 50.0, 0.99: 250.0}
"""Milliseconds by quantile."""
NAME = "trial's end → next Job's POST"
HISTOGRAM = "tuning_trial_end_to_launch_seconds"
SECONDS = (5.0, 10.0)
"""How long a trial lasts: each another time, or all would end at once."""
SEARCHED_SECONDS = (15.0, 30.0)
"""In the studies with a past."""


def waits(ends: Sequence[float], posts: Sequence[AuditEvent], parallelism: int) -> list[float]:
    """Return how long each freed slot was empty, in milliseconds."""
    return [1_000 * (post.received_at - end) for end, post in zip(ends, posts[parallelism:], strict=False)]


Buckets = dict[str, float]
"""Of a histogram: how many observations were at most so large, by the limit as Prometheus writes it."""


def read_buckets(exposition: str, name: str) -> Buckets:
    """Return a histogram as the operator's metrics have it."""
    pattern = re.compile(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)$', re.MULTILINE)
    return {limit: float(count) for limit, count in pattern.findall(exposition)}


def histogram_quantile(before: Buckets, after: Buckets, part: float) -> float:
    """Return the upper limit in milliseconds of the bucket that a quantile lies in, of what came in between."""
    counts = {float(limit): count - before.get(limit, 0.0) for limit, count in after.items()}
    total = max(counts.values(), default=0.0)
    return next((1_000 * limit for limit, count in counts.items() if total and count >= part * total), float("nan"))


@dataclass(frozen=True)
class Study:
    """What a study showed, in milliseconds."""

    waits: list[float]
    """How long each freed slot was empty."""
    histogram: dict[float, float]
    """The operator's own figures by quantile."""
    posts: list[float]
    """How long the API server took for the Jobs' POSTs."""


def measure_operator(on: Cluster, sampler: str, trials: int, parallelism: int, past: int = 0) -> Study:
    """Run a study of so many trials, and before them as many as it has for a past, which is not measured."""
    name = f"next-{sampler.lower()}-{past}"
    since, file = on.control_plane.audit_log.position(), on.folder / f"{name}-ends"
    document = study(name, past + trials, parallelism, SEARCHED_SECONDS if past else SECONDS, file, quick=past)
    if past:
        document["spec"] |= {"parameters": PARAMETERS, "search": {"sampler": {"name": sampler}, "seed": 1}}
    on.apply(document)
    wait_for_ends(file, past)
    before = read_buckets(on.operator.metrics(), HISTOGRAM)
    on.wait_complete(name)
    after = read_buckets(on.operator.metrics(), HISTOGRAM)
    posts = on.job_posts(since)
    return Study(
        waits(read_ends(file), posts, parallelism)[past:],
        {part: histogram_quantile(before, after, part) for part in BUDGETS},
        [1_000 * (post.answered_at - post.received_at) for post in posts[parallelism + past :]],
    )


def wait_for_ends(file: Path, count: int) -> None:
    """Wait until so many pods have told their ends to a file."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while count and (not file.exists() or len(read_ends(file)) < count):
        if time.monotonic() > deadline:
            raise SystemExit(f"fewer than {count} trials ended within {DEADLINE_SECONDS:.0f} s")
        time.sleep(0.25)


def measure_bare(on: Cluster, trials: int, parallelism: int) -> tuple[list[float], list[float]]:
    """Run bare Jobs; return the waits since their pods' ends and since the ends as seen, in milliseconds."""
    since, file = on.control_plane.audit_log.position(), on.folder / "bare-ends"
    plane = on.control_plane
    plan = Plan(plane.url, str(plane.ca_file), plane.admin_token, on.namespace, pod(SECONDS, file), trials, parallelism)
    freed = run_jobs(plan)
    posts = on.job_posts(since, user="admin")
    seen = [1_000 * (post.received_at - freed[post.name]) for post in posts if post.name in freed]
    return waits(read_ends(file), posts, parallelism), seen


def measure_all(on: Cluster, trials: int, parallelism: int, past: int) -> list[Figure]:
    """Run the study, then the bare Jobs, then the studies that have a past: with a random search and with TPE."""
    say(f"{trials} trials of {SECONDS[0]:g} to {SECONDS[1]:g} s, {parallelism} at once")
    found = measure_operator(on, "Random", trials, parallelism)
    on.delete_jobs()
    bare, bare_seen = measure_bare(on, trials, parallelism)
    on.delete_jobs()
    fewer = trials // 2 + parallelism
    say(f"{fewer} of {SEARCHED_SECONDS[0]:g} to {SEARCHED_SECONDS[1]:g} s after {past:,}, at random and with TPE")
    drawn = measure_operator(on, "Random", fewer, parallelism, past)
    on.delete_jobs()
    searched = measure_operator(on, "TPE", fewer, parallelism, past)
    figures = []
    for part, budget in BUDGETS.items():
        seen = f"the bare loop needs {quantile(bare_seen, part):.0f} ms from a Job's end as seen"
        note = f"{trials} trials, {parallelism} at once; {beside(found, part)}; {seen}"
        compared = "a loop that watches bare Jobs, from the pod's end"
        wait, name = quantile(found.waits, part), f"{NAME}, p{100 * part:.0f}"
        figures.append(Figure(name, "ms", budget, wait, quantile(bare, part), compared, note=note))
    for part, budget in BUDGETS.items():
        of = f"{len(searched.waits)} ends of trials of {SEARCHED_SECONDS[0]:g} to {SEARCHED_SECONDS[1]:g} s"
        note = f"{of}, {parallelism} at once, ten parameters; {beside(searched, part)}"
        wait, name = quantile(searched.waits, part), f"{NAME}, TPE and {past:,} finished trials, p{100 * part:.0f}"
        compared = "a random search of the same with as many finished trials"
        figures.append(Figure(name, "ms", budget, wait, quantile(drawn.waits, part), compared, note=note))
    return figures


def beside(found: Study, part: float) -> str:
    """Return what else belongs to a quantile of a study."""
    answers = f"the API server took {quantile(found.posts, part):.0f} ms for a POST"
    return f"the operator's histogram: at most {found.histogram[part]:.0f} ms; {answers}"


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure, or say what is missing."""
    try:
        with cluster() as on:
            parallelism = sized(options, "parallelism", 100, 20)
            trials = sized(options, "trials", 4 * parallelism, 3 * parallelism)
            return measure_all(on, trials, parallelism, sized(options, "past", 1_000, 3 * parallelism))
    except MISSING as reason:
        return [missing(NAME, "ms", str(reason), BUDGETS[0.5])]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--trials", type=int, help="trials that are measured (400)")
    made.add_argument("--parallelism", type=int, help="trials at once (100)")
    made.add_argument("--past", type=int, help="trials of the study with TPE that finish before (1,000)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
