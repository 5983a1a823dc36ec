"""From `kubectl apply` of a study to the POST of its first Job, beside `kubectl apply` of a Job.

Times are the audit log's: when the API server received the study, and when it received the Job. The median and the
longest of several studies, one after the other, as a user would start them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import yaml

from benchmarks.cluster import MISSING, Cluster, cluster, pod, study
from benchmarks.figures import Figure, missing
from benchmarks.program import parser, run, sized

BUDGET = 1.0
"""Seconds."""
NAME = "study applied → first Job's POST"
SECONDS = (0.2, 0.3)
"""How long a trial lasts."""


def apply(on: Cluster, manifest: dict[str, Any]) -> float:
    """Apply with kubectl; return when that began, in seconds since 1970."""
    began = time.time()
    on.control_plane.kubectl("apply", "-n", on.namespace, "-f", "-", input=yaml.safe_dump(manifest))
    return began


def time_study(on: Cluster, name: str) -> tuple[float, float]:
    """Return the seconds to the first Job's POST: since the API server had the study, and since kubectl was started."""
    since = on.control_plane.audit_log.position()
    began = apply(on, study(name, 1, 1, SECONDS))
    on.wait_complete(name)
    creations = on.requests(since, user="admin")
    received = next(event.received_at for event in creations if (event.verb, event.name) == ("create", name))
    posted = on.job_posts(since)[0].received_at
    return posted - received, posted - began


def time_job(on: Cluster, name: str) -> float:
    """Return the seconds from kubectl's start to the POST of a bare Job."""
    since = on.control_plane.audit_log.position()
    template = {"spec": {**pod(SECONDS), "restartPolicy": "Never"}}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}}
    began = apply(on, manifest)
    return on.job_posts(since, user="admin")[0].received_at - began


def measure_studies(on: Cluster, studies: int) -> list[Figure]:
    """Time studies and bare Jobs in turn."""
    times, with_kubectl, bare = [], [], []
    for number in range(studies + 1):
        seconds, whole = time_study(on, f"first-{number}")
        job = time_job(on, f"bare-{number}")
        if number:  # the first finds nothing warm
            times.append(seconds)
            with_kubectl.append(whole)
            bare.append(job)
    reference = statistics.median(bare)
    note = f"{studies} studies; from kubectl's start {statistics.median(with_kubectl):.2f} s"
    compared = "kubectl apply of a Job, from its start to the POST"
    return [
        Figure(f"{NAME}, p50", "s", BUDGET, statistics.median(times), reference, compared, note=note),
        Figure(f"{NAME}, max", "s", BUDGET, max(times), max(bare), compared, note="the longest of both"),
    ]


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure, or say what is missing."""
    try:
        with cluster() as on:
            return measure_studies(on, sized(options, "studies", 8, 3))
    except MISSING as reason:
        return [missing(NAME, "s", str(reason), BUDGET)]


def main() -> None:
    """Read the command line and measure."""
    made = parser(__doc__)
    made.add_argument("--studies", type=int, help="studies, one after the other (8)")
    run(measure, made.parse_args())


if __name__ == "__main__":
    main()
