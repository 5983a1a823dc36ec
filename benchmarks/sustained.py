"""How many trials a second one operator keeps going, with a hundred and with a thousand simulated trials at once.

Counted while all slots are taken: from the first end until the last trial has begun. The sampler is Random. The
reference is a loop that watches as many bare Jobs and POSTs the next one when one is Complete. Each number of trials at
once has a control plane of its own, so that none inherits the Jobs and the stalls of the one before.

The budget is about 10,000 trials: `python -m benchmarks.sustained --parallelism 100 --trials 10000`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.bare_jobs import Plan, run_jobs
from benchmarks.cluster import MISSING, Cluster, cluster, pod, study
from benchmarks.figures import Figure, missing
from benchmarks.operator_strain import run_studies
from benchmarks.program import parser, run, say, sized
from benchmarks.simulated_trainer import read_ends

BUDGET = 30.0
"""Trials per second."""
NAME = "trials a second"
MOST_A_SECOND = 40.0
"""What the trials' length allows: it grows with their number."""


def lengths(parallelism: int) -> tuple[float, float]:
    """Return the shortest and the longest time of a trial, in seconds."""
    mean = parallelism / MOST_A_SECOND
    return 0.8 * mean, 1.2 * mean


def rate(ends: Sequence[float], parallelism: int) -> float:
    """Return the ends per second while all slots were taken: there is a next trial for all but the last ones."""
    followed = ends[: len(ends) - parallelism]
    return (len(followed) - 1) / (followed[-1] - followed[0])


def measure_bare(on: Cluster, jobs: int, parallelism: int) -> float:
    """Return how many bare Jobs a second the control plane takes."""
    plane, file = on.control_plane, on.folder / "bare-ends"
    spec = pod(lengths(parallelism), file)
    run_jobs(Plan(plane.url, str(plane.ca_file), plane.admin_token, on.namespace, spec, jobs, parallelism))
    return rate(read_ends(file), parallelism)


def measure_at(parallelism: int, trials: int, deadline: float) -> Figure:
    """Run a study with so many trials at once, then bare Jobs."""
    say(f"{trials} trials, {parallelism} at once")
    with cluster() as on:
        file = on.folder / "study-ends"
        document = study("sustained", trials, parallelism, lengths(parallelism), file)
        strain = run_studies(on, [document], deadline)
        on.delete_jobs()
        bare = measure_bare(on, parallelism + (trials - parallelism) // 3, parallelism)
        found = rate(read_ends(file), parallelism)
    shortest, longest = lengths(parallelism)
    note = f"{trials:,} trials of {shortest:g} to {longest:g} s in {strain.seconds:.0f} s; {strain.in_words(trials)}"
    name, compared = f"{NAME}, {parallelism:,} at once", "a loop that watches bare Jobs"
    return Figure(name, "/s", BUDGET, found, bare, compared, at_least=True, note=note)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure, or say what is missing."""
    parallelisms = options.parallelism or ([20] if options.quick else [100, 1_000])
    figures = []
    try:
        for parallelism in parallelisms:
            trials = sized(options, "trials", parallelism + 1_000, 5 * parallelism)
            figures.append(measure_at(parallelism, trials, options.deadline))
    except MISSING as reason:
        return [missing(NAME, "/s", str(reason), BUDGET)]
    return figures


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--parallelism", type=int, nargs="+", help="trials at once (100 and 1,000)")
    made.add_argument("--trials", type=int, help="trials in all (1,000 more than at once)")
    made.add_argument("--deadline", type=float, default=500.0, help="seconds that a study may take (500)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
