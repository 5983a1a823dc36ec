"""Commands as a user types them, and how long each step took."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The project's folder, in which all commands run."""


class StepFailed(Exception):
    """The path can't be walked on; the message is a sentence for people."""


class Shell:
    """Runs commands with some folders first on the PATH."""

    def __init__(self, kubeconfig: Path | None = None, folders: Sequence[Path] = ()) -> None:
        own = Path(sys.executable).parent  # has the plugin kubectl-tuning
        assets = os.environ.get("KUBEBUILDER_ASSETS")
        path = [*map(str, folders), str(own), *([assets] if assets else []), os.environ.get("PATH", os.defpath)]
        self._environment = {**os.environ, "PATH": os.pathsep.join(path)}
        if kubeconfig:
            self._environment["KUBECONFIG"] = str(kubeconfig)

    def run(self, command: str, timeout: float = 1800, text: str | None = None) -> str:
        """What the command prints on its standard output, when it is given `text` to read.

        Raises StepFailed when it fails or takes longer than `timeout` seconds.
        """
        try:
            done = subprocess.run(
                shlex.split(command),
                cwd=ROOT,
                env=self._environment,
                input=text,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except FileNotFoundError as missing:
            raise StepFailed(f"{missing.filename} is not on the PATH: install it, or set KUBEBUILDER_ASSETS") from None
        except subprocess.TimeoutExpired:
            raise StepFailed(f"`{command}` did not end within {timeout:.0f} s") from None
        if done.returncode != 0:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
            raise StepFailed(f"`{command}` ended with status {done.returncode}:\n{end}")
        return done.stdout

    def show(self, command: str) -> None:
        """Runs a command and prints the command and its output, whatever becomes of it."""
        try:
            output = self.run(command, timeout=120)
        except StepFailed as failure:
            output = str(failure)
        print(f"$ {command}\n{output.rstrip()}\n", flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Prints what is done, then how many seconds it took."""
    print(f"{title} ...", flush=True)
    begun = time.monotonic()
    yield
    print(f"{time.monotonic() - begun:7.1f} s  {title}", flush=True)


def check(holds: bool, complaint: str) -> None:
    """Raises StepFailed with the complaint unless it holds."""
    if not holds:
        raise StepFailed(complaint)
