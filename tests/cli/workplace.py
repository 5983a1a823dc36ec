"""A directory with a study in it, and calls of the command line there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.local.processes import is_running
from tuning_operator.api.names import API_VERSION, KIND

DEADLINE_S = 60.0
"""Seconds that a test waits for what is bound to happen."""

TRAINER = """
import os, sys, time
from pathlib import Path
import tuning_trainer as tuning

trial = tuning.current_trial()
Path(f"trial-{trial.number}-{os.environ['TUNING_ATTEMPT']}.pid").write_text(str(os.getpid()))
print("training with", dict(trial.parameters))
if "fail" in sys.argv:
    raise SystemExit("out of paint")
for step in range(1, 4):
    trial.report({"score": trial.parameters["x"] * step}, step=step)
    while "wait" in sys.argv and not Path("go").exists():
        time.sleep(0.02)
    if "prune" in sys.argv and trial.parameters["x"] < 0.5:
        while not trial.should_prune():
            time.sleep(0.02)
        trial.prune()
"""
"""Reports three steps. The argument `wait` makes it wait for the file `go`, `fail` makes it fail, and with `prune` it
is pruned where x is small."""


def study_document(*arguments: str, **spec: Any) -> dict[str, Any]:
    """Return a study of five quick trials; `spec` replaces or adds fields."""
    container = {"name": "trainer", "image": "none", "command": ["python", "train.py"], "args": [*arguments]}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "quick"},
        "spec": {
            "objectives": [{"metric": "score", "direction": "Maximize"}],
            "parameters": [
                {"name": "x", "type": "Float", "low": 0, "high": 1},
                {"name": "kind", "type": "Categorical", "choices": ["a", "on"]},
                {"name": "batch", "type": "Fixed", "value": 32},
            ],
            "search": {"seed": 1, "sampler": {"name": "Random"}},
            "maxTrials": 5,
            "parallelism": 2,
            "trial": {"template": {"spec": {"containers": [container]}}},
            **spec,
        },
    }


@dataclass(frozen=True)
class Called:
    """How a call ended."""

    status: int
    out: str
    err: str


class Workplace:
    """A directory to call `tuning` in; the current one while its fixture is used."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys
        (path / "train.py").write_text(TRAINER)

    def write(self, document: dict[str, Any], file: str = "study.yaml") -> None:
        """Write a study's file."""
        (self.path / file).write_text(yaml.safe_dump(document, sort_keys=False))

    def call(self, *arguments: str) -> Called:
        """Call `tuning` in this process."""
        from tuning_operator.cli.main import main

        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        captured = self._capsys.readouterr()
        status = end.value.code
        return Called(status if isinstance(status, int) else 0, captured.out, captured.err)

    def start(self, *arguments: str) -> Started:
        """Call `tuning` in a process of its own."""
        return Started(self.path, arguments)

    def pids(self) -> dict[tuple[int, int], int]:
        """Return the process of each (trial, attempt) that has been started."""
        found = {}
        for file in self.path.glob("trial-*.pid"):
            _, number, attempt = file.stem.split("-")
            if text := file.read_text():
                found[int(number), int(attempt)] = int(text)
        return found

    def let_go(self) -> None:
        """Let trials that wait end."""
        (self.path / "go").touch()

    def running(self) -> set[int]:
        """Return the pids of trials that run."""
        return {pid for pid in self.pids().values() if is_running(pid)}


class Started:
    """A process with `tuning`. A context manager: it is killed at the end, if it still runs."""

    def __init__(self, path: Path, arguments: tuple[str, ...]) -> None:
        self._out, self._err = (path / f"{arguments[0]}.{stream}" for stream in ("stdout", "stderr"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tuning_operator.cli.main", *arguments],
                cwd=path,
                stdout=out,
                stderr=err,
                env={**os.environ, "COLUMNS": "100"},
            )

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def has_said(self, text: str) -> bool:
        """Whether the text stands in what was printed so far."""
        return text in self._out.read_text()

    def end(self) -> Called:
        """Wait for the process to end."""
        status = self._process.wait(timeout=DEADLINE_S)
        return Called(status, self._out.read_text(), self._err.read_text())


def until(holds: Callable[[], bool], what: str) -> None:
    """Return when `holds()`; fail with `what` when it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {DEADLINE_S:.0f} s in vain: {what}", pytrace=False)
        time.sleep(0.02)
