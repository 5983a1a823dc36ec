"""A person who does what a page says."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs.page import Command, Deed, File, steps
from tests.support.binaries import find_binaries
from tests.support.control_plane import ControlPlane

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PATIENCE = 90.0
"""Seconds for which a command that only looks is repeated."""
LONGEST = 240.0
"""Seconds that a command may take."""


class Reader:
    """Reads pages in one directory, with one kubeconfig; `examples/` lies there as in the repository."""

    def __init__(self, directory: Path, kubeconfig: Path, environment: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        programs = (str(Path(sys.executable).parent), str(find_binaries()), os.environ["PATH"])
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join(programs),
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(directory),
            "COLUMNS": "120",
            **(environment or {}),
        }
        (directory / "examples").symlink_to(ROOT / "examples")

    @classmethod
    def of_namespace(
        cls,
        directory: Path,
        control_plane: ControlPlane,
        namespace: str,
        environment: Mapping[str, str] | None = None,
    ) -> Reader:
        """Return an administrator whose current namespace is this one."""
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_bytes(control_plane.kubeconfig.read_bytes())
        arguments = ("config", "set-context", "--current", f"--namespace={namespace}")
        control_plane.kubectl(*arguments, kubeconfig=kubeconfig)
        return cls(directory, kubeconfig, environment)

    def read(self, page: str, deeds: Mapping[str, Callable[[], None]] | None = None) -> int:
        """Do what a page of docs/ says, and return how many commands that were; fail where it is wrong.

        `deeds` are what the page leaves to the test.
        """
        count = 0
        for step in steps((DOCS / page).read_text()):
            if isinstance(step, File):
                (self._directory / step.name).write_text(step.text)
            elif isinstance(step, Deed):
                (deeds or {})[step.name]()
            else:
                self._run(step)
                count += 1
        return count

    def _run(self, command: Command) -> None:
        deadline = time.monotonic() + (PATIENCE if command.only_looks else 0.0)
        while True:
            complaint = self._complaint(command)
            if not complaint:
                return
            assert time.monotonic() < deadline, complaint
            time.sleep(0.3)

    def _complaint(self, command: Command) -> str:
        """Run a command; return what is not as the page says."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command.text],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
        )
        if command.fails == (done.returncode == 0):
            return f"$ {command.text}\n{done.stdout}\nended with status {done.returncode}"
        missing = command.missing(done.stdout)
        return f"$ {command.text}\n{done.stdout}\nlacks {missing}" if missing else ""
