"""A database that is restored from a backup while newer Jobs run: none of them counts for a trial that it is not of."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import Any

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies

SCRIPT = """
import itertools, pathlib, time
trial = tuning.current_trial()
for step in itertools.count(1):
    trial.report({"score": trial.parameters["x"]}, step=step)
    if trial.should_prune():
        trial.prune()
    time.sleep(0.1)
"""


def trained(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the parameters of Jobs by their names."""
    metadata = [job["metadata"] for job in jobs if "deletionTimestamp" not in job["metadata"]]
    return {it["name"]: json.loads(it["annotations"]["tuning-operator.io/parameters"]) for it in metadata}


def reported(operator: InstalledOperator) -> dict[tuple[int, int], set[float]]:
    """Return what each attempt reported."""
    found: dict[tuple[int, int], set[float]] = {}
    for trial, attempt, values in operator.query('SELECT trial, attempt, "values" FROM tuning_reports'):
        found.setdefault((trial, attempt), set()).add(json.loads(values)["score"])
    return found


def test_jobs_from_before_a_restore_count_for_no_trial_after_it(studies: Studies, operator: InstalledOperator) -> None:
    backup = operator.database.with_suffix(".backup")
    with closing(sqlite3.connect(operator.database)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    # Without a seed of its own the study draws another one after the restore.
    studies.apply("restored", SCRIPT, search={"sampler": {"name": "Random"}}, maxTrials=2)
    wait_for(lambda: len(reported(operator)) == 2, 60, lambda: f"no reports: {operator.log()}")
    before = trained(studies.jobs("restored"))
    operator.kill()
    for file in operator.database.parent.glob(f"{operator.database.name}*"):
        file.unlink()
    shutil.move(backup, operator.database)
    operator.start()
    wait_for(lambda: set(reported(operator)) == {(0, 2), (1, 2)}, 90, lambda: f"{reported(operator)}: {operator.log()}")
    after = trained(studies.jobs("restored"))
    assert not before.keys() & after.keys()
    assert len(after) == 2
    assert not {str(each) for each in before.values()} & {str(each) for each in after.values()}
    assert {score for scores in reported(operator).values() for score in scores} == {it["x"] for it in after.values()}
    notes = [note for reason, note in studies.events("restored") if reason == "StrayJob"]
    assert any(name in note for name in before for note in notes)
    studies.kubectl("delete", "tuningstudy", "restored")


def test_an_operator_that_is_given_another_database_leaves_running_trials_alone(
    studies: Studies, operator: InstalledOperator
) -> None:
    script = SCRIPT.replace("itertools.count(1)", "range(1, 400)")
    studies.apply("elsewhere", script, maxTrials=2, parallelism=2)
    wait_for(lambda: studies.status("elsewhere").get("trials", {}).get("running") == 2, 60, operator.log)
    before = trained(studies.jobs("elsewhere"))
    operator.kill()
    right = operator.database.with_suffix(".right")
    right.mkdir()
    for file in operator.database.parent.glob(f"{operator.database.name}*"):
        shutil.move(file, right)
    operator.start()
    studies.wait("elsewhere", "Degraded")
    assert studies.condition("elsewhere", "Degraded")["reason"] == "StorageMismatch"
    assert trained(studies.jobs("elsewhere")) == before
    operator.kill()
    for file in operator.database.parent.glob(f"{operator.database.name}*"):
        file.unlink()
    for file in right.iterdir():
        shutil.move(file, operator.database.parent)
    operator.start()
    studies.wait("elsewhere", "Complete")
    assert studies.status("elsewhere")["trials"]["complete"] == 2
    assert trained(studies.jobs("elsewhere")) == before, "each trial ended with its first attempt"
    wait_for(lambda: all(job["status"].get("succeeded") for job in studies.jobs("elsewhere")), 30, operator.log)
