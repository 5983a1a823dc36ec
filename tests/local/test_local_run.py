"""A local run's beginning and end, without the command line."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.workplace import study_document
from tests.cluster_api.trial_jobs_suite import until
from tests.local.processes import is_running
from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.validation import parse_study
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import StorageUnavailable
from tuning_operator.local import runner
from tuning_operator.local.places import NAMESPACE, AlreadyRunning, Places
from tuning_operator.local.runner import LocalRun, Observer
from tuning_operator.ports import TrialRepository
from tuning_operator.search import StudyRepositories, connections

REPORTING = """
import tuning_trainer as tuning

trial = tuning.current_trial()
trial.report({"score": trial.parameters["x"]}, step=1)
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / ".tuning")


def document(code: str, **spec: Any) -> dict[str, Any]:
    """Return a study whose trainer is a Python program."""
    study = study_document(**{"maxTrials": 1, "parallelism": 1, **spec})
    study["spec"]["trial"]["template"]["spec"]["containers"][0].update(command=[sys.executable, "-c", code])
    return study


async def test_a_run_that_is_stopped_before_it_begins_starts_no_trial(places: Places) -> None:
    run = LocalRun(document("raise SystemExit('nobody should start this')"), places)
    run.stop()
    status = await run.run()
    assert status.trials.total == 0
    assert status.start_time is None


async def test_a_run_whose_storage_fails_can_be_stopped(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STOP_SECONDS", 0.5)
    monkeypatch.setattr(connections, "BUSY_SECONDS", 0.1)
    pid = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(600)"
    run = LocalRun(document(code), places)
    running = asyncio.create_task(run.run())
    await until(lambda: pid.exists() and pid.read_text() != "", "the trial does not start")
    with closing(sqlite3.connect(places.database, isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        run.stop()
        run.stop()
        with pytest.raises(
            StorageUnavailable, match=r"the running trials are ended, but .*studies\.db did not take it"
        ):
            await running
    await until(lambda: not is_running(int(pid.read_text())), "the trial outlives its run")


async def test_a_trial_whose_end_was_stored_is_told_and_not_trained_again(places: Places) -> None:
    study = document("raise SystemExit('nobody should start this')")
    places.directory.mkdir()
    repositories = StudyRepositories(places.storage_url)
    trials = await repositories.open(StudyKey(NAMESPACE, "quick", "uid-1"), parse_study(study).spec)
    await trials.ask(1)
    batch = ReportBatch(reports=(Report(1, {"score": 0.5}, 0.0),), end=TrialEnd(FinalState.COMPLETE))
    await trials.report(0, 1, batch)
    await repositories.aclose()

    seen: list[TrialRepository] = []
    status = await LocalRun(study, places, observer=Observer(on_start=lambda _, trials: seen.append(trials))).run()
    assert status.trials.complete == 1
    trial = seen[0].finished(0)
    assert trial is not None
    assert (trial.state, trial.attempt, trial.value) == (EndState.COMPLETE, 1, 0.5)


async def test_a_trainer_that_does_not_report_the_objective_is_told_so(places: Places) -> None:
    seen: list[StudyStatus] = []
    status = await LocalRun(document("pass"), places, observer=Observer(on_status=seen.append)).run()
    assert status.trials.failed == 1
    assert "reported nothing" in status.recent[0].message
    assert seen[-1] == status


async def test_the_machines_cpus_bound_what_runs_at_a_time_and_not_what_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = {"sampler": {"name": "TPE", "options": {"nStartupTrials": 1}}, "seed": 1, "deterministic": True}
    study = document(REPORTING, maxTrials=7, search=search)

    async def tried_with(cpus: int) -> list[Mapping[str, ParameterValue]]:
        monkeypatch.setattr(runner, "cpus", lambda: cpus)
        at_once: list[int] = []
        seen: list[TrialRepository] = []
        observer = Observer(
            on_start=lambda _, trials: seen.append(trials),
            on_status=lambda status: at_once.append(status.trials.pending + status.trials.running),
        )
        await LocalRun(study, Places(tmp_path / f"{cpus}"), parallelism=3, observer=observer).run()
        assert max(at_once) <= cpus
        return [trial.parameters for trial in seen[0].trials(-1, 100)]

    tried = await tried_with(cpus=1)
    assert len(tried) == 7
    assert await tried_with(cpus=2) == tried


@pytest.mark.parametrize(("deterministic", "threads"), [(True, "1"), (False, "6")])
async def test_results_of_a_deterministic_study_do_not_depend_on_how_many_threads_add_up(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deterministic: bool, threads: str
) -> None:
    monkeypatch.setattr(runner, "cpus", lambda: 6)
    seen = tmp_path / "threads"
    code = f"import os, pathlib; pathlib.Path({str(seen)!r}).write_text(os.environ['OMP_NUM_THREADS'])"
    await LocalRun(document(code, search={"seed": 1, "deterministic": deterministic}), places).run()
    assert seen.read_text() == threads


async def test_the_lock_of_a_dead_runner_is_free(places: Places) -> None:
    code = f"""
import os, pathlib
from tuning_operator.errors import StorageUnavailable
from tuning_operator.local import runner
from tuning_operator.local.places import Places
with Places(pathlib.Path({str(places.directory)!r})).locked("quick"):
    print("locked", flush=True)
    input()
"""
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    await holder.stdout.readline()
    with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"), places.locked("quick"):
        pytest.fail("two processes hold the lock")
    with places.locked("other"):
        holder.kill()
    await holder.wait()
    with places.locked("quick"):
        pass
