"""`python -m tests.e2e` and `python -m tests.e2e images`; see the package."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.commands import StepFailed
from tests.e2e.images import build_with_installed_tool
from tests.e2e.local_cluster import LocalCluster, is_available
from tests.e2e.walk import walk


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description="Walk the user's path on a real cluster.")
    parser.add_argument("what", nargs="?", choices=["walk", "images"], default="walk", help="images: only build them")
    parser.add_argument("--keep", action="store_true", help="keep the images of the own cluster for the next time")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # what was started is stopped then, too
    begun = time.monotonic()
    try:
        if options.what == "images":
            _build()
        else:
            _walk(options.keep)
    except StepFailed as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    print(f"passed after {time.monotonic() - begun:.0f} s")
    return 0


def _build() -> None:
    if is_available() and not any(map(shutil.which, ("docker", "podman"))):
        LocalCluster(keep=True).build()
    else:
        build_with_installed_tool()


def _walk(keep: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        own_copy = Path(folder, "kubeconfig")
        if kubeconfig := os.environ.get("KUBECONFIG"):
            walk(Path(kubeconfig), [], own_copy)
            return
        if not is_available():
            raise StepFailed(
                "KUBECONFIG is not set: it must name a cluster whose nodes have the images (`make images`)"
            )
        cluster = LocalCluster(keep)
        cluster.build()
        with cluster:
            walk(cluster.kubeconfig, [cluster.programs], own_copy)


if __name__ == "__main__":
    sys.exit(main())
