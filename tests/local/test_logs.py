"""Local trials that only print, and are tuned and pruned all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.local.test_local_run import document
from tuning_operator.api.status import StudyStatus
from tuning_operator.local.places import Places
from tuning_operator.local.runner import LocalRun, Observer
from tuning_operator.ports import StoredReport, TrialRepository

PRINTS = """
import json, os, time
x = float(os.environ["PARAM_x"])
for epoch in (1, 2, 3):
    print(f"epoch={epoch} loss={1 - x}", flush=True)
    print(f"score={x * epoch}", flush=True)
"""

STAYS_WHERE_X_IS_SMALL = """
import os, time
x = float(os.environ["PARAM_x"])
for epoch in range(1, 4):
    print(f"score={x}", flush=True)
    time.sleep(0.05)
if x < 0.5:
    time.sleep(3600)
"""
"""Ends only if it is deleted where x is small."""


def printing(code: str, logs: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a study whose trials print their metrics."""
    study = document(code, **spec)
    study["spec"]["trial"]["metrics"] = {"source": "Logs"} | ({"logs": logs} if logs else {})
    return study


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / ".tuning")


async def run(study: dict[str, Any], places: Places) -> tuple[StudyStatus, TrialRepository]:
    """Run a study; return its status and its history."""
    seen: list[TrialRepository] = []
    status = await LocalRun(study, places, observer=Observer(on_start=lambda _, trials: seen.append(trials))).run()
    return status, seen[0]


def shown(reports: list[StoredReport]) -> list[tuple[int, list[str]]]:
    """Return step and names of reports."""
    return [(report.step, sorted(report.values)) for report in reports]


async def test_what_a_trial_prints_is_its_value(places: Places) -> None:
    status, trials = await run(printing(PRINTS, maxTrials=2), places)
    assert status.trials.complete == 2
    trial = trials.finished(0)
    assert trial is not None
    assert trial.value == pytest.approx(3 * float(trial.parameters["x"]))
    assert shown(list(trials.reports(0))) == [(step, ["epoch", "loss", "score"]) for step in (1, 2, 3)]


async def test_a_named_step_and_json_lines_are_read(places: Places) -> None:
    code = 'for epoch in (5, 10): print(\'{"epoch": %d, "score": 0.5, "config": {"a": 1}}\' % epoch)'
    status, trials = await run(printing(code, {"format": "Json", "step": "epoch"}), places)
    assert status.trials.complete == 1
    assert shown(list(trials.reports(0))) == [(5, ["score"]), (10, ["score"])]


async def test_a_hopeless_trial_that_never_ends_is_pruned_and_its_process_is_gone(places: Places) -> None:
    pruner = {"name": "Median", "options": {"nStartupTrials": 1, "nWarmupSteps": 1}}
    enqueue = [{"x": 0.9}, {"x": 0.1}]
    study = printing(STAYS_WHERE_X_IS_SMALL, maxTrials=2, search={"pruner": pruner, "enqueue": enqueue})
    status, _ = await run(study, places)
    assert (status.trials.complete, status.trials.pruned) == (1, 1)


async def test_a_training_that_diverges_fails_by_that_name(places: Places) -> None:
    status, _ = await run(printing("print('score=nan', flush=True); import time; time.sleep(600)"), places)
    assert status.recent[0].reason == "NotFinite"


async def test_a_log_without_the_objective_says_what_it_has(places: Places) -> None:
    status, _ = await run(printing("print('scores=0.5')"), places)
    assert status.recent[0].reason == "NoObjective"
    assert "it reported scores" in status.recent[0].message


async def test_the_last_of_many_lines_counts(places: Places) -> None:
    code = "import sys; sys.stdout.write('noise\\n' * 300_000 + 'score=0.25')"
    _, trials = await run(printing(code), places)
    trial = trials.finished(0)
    assert trial is not None
    assert (trial.state, trial.value) == ("Complete", 0.25)


async def test_a_trial_whose_log_is_read_has_no_credential(places: Places) -> None:
    code = "import os; print('score=%d' % ('TUNING_REPORT_TOKEN' in os.environ or 'TUNING_REPORT_URL' in os.environ))"
    _, trials = await run(printing(code), places)
    trial = trials.finished(0)
    assert trial is not None
    assert trial.value == 0.0
