"""Runs a training script in a process of its own, as a container would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning_contract import TrialEnvironment

DEADLINE = 120.0
"""Seconds after which a script hangs."""


@dataclass(frozen=True)
class Script:
    """A training script on disk, and the trial that it is run for."""

    path: Path
    url: str | None

    def start(self, text: str, environ: Mapping[str, str] | None = None, **fields: Any) -> subprocess.Popen[str]:
        """Start the script, as a trial with these fields of its environment."""
        self.path.write_text(text)
        return subprocess.Popen(
            [sys.executable, str(self.path)],
            env={**_outside_a_study(), **self._trial(fields).variables(), **(environ or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, text: str, environ: Mapping[str, str] | None = None, **fields: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the script to its end."""
        with self.start(text, environ, **fields) as process:
            return finished(process)

    def run_outside_a_study(self, text: str) -> subprocess.CompletedProcess[str]:
        self.path.write_text(text)
        return subprocess.run(
            [sys.executable, str(self.path)],
            env=_outside_a_study(),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def _trial(self, fields: Mapping[str, Any]) -> TrialEnvironment:
        given = {"study": "digits", "namespace": "team", "trial": 3, "parameters": {}, "report_url": self.url, **fields}
        return TrialEnvironment(**given)


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a script; one that hangs is killed."""
    try:
        output, errors = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def _outside_a_study() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TUNING_", "PARAM_", "RANK"))}
