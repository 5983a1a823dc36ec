"""Repeats and folds on a real Job controller: one Indexed Job for each attempt at a trial."""

from __future__ import annotations

import json

import pytest

from tests.control_plane.operator_process import InstalledOperator
from tests.control_plane.studies import Studies

SCORES = """
import os
run, folds = int(os.environ["TUNING_RUN"]), int(os.environ["TUNING_FOLDS"])
score, seed = run % folds + 10 * (run // folds), int(os.environ["TUNING_SEED"])
tuning.current_trial().report({"score": score, "seed": seed}, step=1)
"""

FAILS_ONCE = """
import os, sys, time
trial = tuning.current_trial()
trial.report({"score": 0.5}, step=1)
if os.environ["TUNING_RUN"] == "1" and os.environ["TUNING_ATTEMPT"] == "1":
    sys.exit(7)
time.sleep(600 if os.environ["TUNING_ATTEMPT"] == "1" else 0)
"""
"""The second run fails in its first attempt, while the other one would go on for minutes."""

ONE_AFTER_THE_OTHER = """
trial = tuning.current_trial()
trial.report({"score": -trial.number - trial.run / 10}, step=1)
"""
"""Each trial is worse than the one before, run by run."""


@pytest.fixture(scope="module")
def started(studies: Studies, operator: InstalledOperator) -> Studies:
    """The studies of this file, started at once."""
    studies.apply("folds", SCORES, maxTrials=1, parallelism=1, trial={"folds": 2, "repeats": 2})
    retries = {"limit": 1, "reasons": ["Error"]}
    studies.apply("fails-once", FAILS_ONCE, maxTrials=1, parallelism=1, trial={"repeats": 2, "retries": retries})
    pruner = {"name": "Wilcoxon", "options": {"pThreshold": 0.3}}
    search = {"sampler": {"name": "Random"}, "seed": 1, "pruner": pruner}
    trial = {"repeats": 5, "parallelRuns": 1}
    studies.apply("hopeless", ONE_AFTER_THE_OTHER, maxTrials=3, parallelism=1, search=search, trial=trial)
    return studies


def test_a_trials_value_is_the_mean_of_the_pods_of_its_indexed_job(started: Studies) -> None:
    started.wait("folds", "Complete")
    status = started.status("folds")
    assert (status["plannedTrainings"], status["trials"]["complete"]) == (4, 1)
    assert status["best"]["value"] == pytest.approx((0 + 1 + 10 + 11) / 4)
    assert status["best"]["std"] == pytest.approx(5.0249378)
    for job in started.jobs("folds"):
        assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == (
            "Indexed",
            4,
            4,
        )


def test_each_pod_reports_as_its_own_run_with_its_own_seed(started: Studies, operator: InstalledOperator) -> None:
    started.wait("folds", "Complete")
    uid = started.get("folds")["metadata"]["uid"]
    rows = operator.query('SELECT run, "values" FROM tuning_reports WHERE study_uid = ? AND trial = 0', uid)
    reports = {run: json.loads(values) for run, values in rows}
    assert {run: report["score"] for run, report in reports.items()} == {0: 0, 1: 1, 2: 10, 3: 11}
    assert len({report["seed"] for report in reports.values()}) == 4


def test_one_pod_that_fails_fails_the_attempt_and_the_next_one_repeats_all(started: Studies) -> None:
    started.wait("fails-once", "Complete")
    first, second = sorted(started.jobs("fails-once"), key=lambda job: str(job["metadata"]["name"]))
    (failed,) = [each for each in first["status"]["conditions"] if each["type"] == "Failed"]
    assert "exit code 7" in failed["message"]
    assert second["spec"]["completions"] == 2
    assert started.status("fails-once")["best"]["value"] == 0.5


def test_a_hopeless_trial_is_spared_the_runs_that_have_not_begun(started: Studies, operator: InstalledOperator) -> None:
    started.wait("hopeless", "Complete")
    status = started.status("hopeless")
    assert (status["trials"]["complete"], status["trials"]["pruned"]) == (1, 2)
    rows = operator.query(
        "SELECT trial, run FROM tuning_reports WHERE study_uid = ?", started.get("hopeless")["metadata"]["uid"]
    )
    runs = {trial: sorted(run for of, run in rows if of == trial) for trial in range(3)}
    assert runs[0] == [0, 1, 2, 3, 4]
    assert all(runs[trial][:2] == [0, 1] and len(runs[trial]) < 5 for trial in (1, 2)), runs
