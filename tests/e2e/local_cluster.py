"""A single-node cluster with containers on this machine, which exists for one walk."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from tests.e2e.commands import ROOT, Shell, StepFailed, step
from tests.e2e.images import images

SCRIPTS = ROOT.parent / "shared" / "kubernetes" / "cluster"
LONGEST_PATH = 70
"""Characters of the folder's path: sockets lie deep below it, and a socket's path has at most 107."""


def is_available() -> bool:
    """Whether the scripts lie beside the project."""
    return (SCRIPTS / "start").exists()


class LocalCluster:
    """The cluster of the scripts; a context manager that always stops it.

    All its state lies in one folder, and is removed at the end unless `keep` is set: then the next walk finds the
    images built, and a new, empty cluster.
    """

    def __init__(self, keep: bool = False) -> None:
        self._keep = keep
        self._state = Path(tempfile.gettempdir()).resolve() / "tuning-e2e"
        if len(str(self._state)) > LONGEST_PATH:
            raise StepFailed(f"the path {self._state} is too long for sockets in it: set TMPDIR to a shorter one")
        if "KUBEBUILDER_ASSETS" in os.environ:
            os.environ.setdefault("TESTCLUSTER_BIN", os.environ["KUBEBUILDER_ASSETS"])

    @property
    def kubeconfig(self) -> Path:
        """Where the administrator's kubeconfig lies once the cluster has started."""
        return self._state / "kubeconfig"

    @property
    def programs(self) -> Path:
        """The folder with kubectl and helm."""
        return Path(os.environ.get("TESTCLUSTER_BIN", self._state / "bin"))

    def build(self) -> None:
        """Builds the images into the cluster's own store."""
        self._state.mkdir(parents=True, exist_ok=True)
        base = self._state / "base-image.made"
        if not base.exists():
            with step("make the base image"):
                self._script("base-image")
            base.touch()
        for image in images():
            with step(f"build {image.name}"):
                self._script("build-image", image.name, ".", "--file", image.dockerfile)

    def __enter__(self) -> LocalCluster:
        try:
            shutil.rmtree(self._state / "etcd", ignore_errors=True)  # of an earlier walk
            with step("start the cluster"):
                self._script("start")
            for image in images():
                with step(f"load {image.name}"):
                    self._script("load-image", image.name)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        with step("stop the cluster"):
            self._script("stop")
        if not self._keep:
            shutil.rmtree(self._state)

    def _script(self, name: str, *arguments: str) -> None:
        Shell().run(" ".join([str(SCRIPTS / name), str(self._state), *arguments]))
