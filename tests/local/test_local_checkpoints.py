"""Checkpoints of a local run: trials that are cut off go on from them, and only the best trial's stay."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import job, spec
from tests.cli.workplace import study_document
from tests.cluster_api.trial_jobs_suite import until
from tests.fakes import FakeTrialRepository
from tests.resuming_trainer import resuming_trainer
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState, Lineage
from tuning_operator.local.checkpoints import CheckpointFolders, remove
from tuning_operator.local.places import Places
from tuning_operator.local.runner import LocalRun, Observer
from tuning_operator.ports import Outcome, TrialRepository

TRAINER = resuming_trainer(steps=3, stop=2, waits="not pathlib.Path(sys.argv[1]).exists()")
"""Waits after its second step for a file, and goes on from what it saved."""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / ".tuning")


def document(go: Path, **spec: Any) -> dict[str, Any]:
    study = study_document(**{"maxTrials": 3, "parallelism": 1, **spec})
    container = study["spec"]["trial"]["template"]["spec"]["containers"][0]
    container.update(command=[sys.executable, "-c", TRAINER, str(go)])
    return study


async def test_a_trial_that_is_cut_off_goes_on_from_its_checkpoint_in_the_next_run(
    places: Places, tmp_path: Path
) -> None:
    study = document(tmp_path / "go")
    run = LocalRun(study, places)
    running = asyncio.create_task(run.run())
    await until(lambda: [path.read_text() for path in folders(places, "*/0/steps")] == ["2"], "no step is saved")
    run.stop()
    run.stop()
    await running
    assert len(folders(places, "*/0")) == 1

    (tmp_path / "go").touch()
    seen: list[TrialRepository] = []
    status = await LocalRun(study, places, observer=Observer(on_start=lambda _, trials: seen.append(trials))).run()
    assert status.trials.complete == 3
    first, second = sorted((places.directory / "logs").glob("*/*-0-*.log"))
    assert first.read_text().splitlines() == ["step 1 starts", "step 2 starts"]
    assert second.read_text().splitlines() == ["step 3 resumes"]
    assert len(seen[0].reports(0)) == 3


async def test_when_a_run_ends_only_the_best_trials_checkpoints_are_left(places: Places, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    status = await LocalRun(document(tmp_path / "go"), places).run()
    assert status.trials.complete == 3
    assert status.best is not None
    assert [path.name for path in folders(places, "*/*")] == [str(status.best.number)]


async def test_a_clusters_directory_gives_way_to_this_machines(places: Places, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    study = document(tmp_path / "go", maxTrials=1)
    study["spec"]["trial"]["checkpoints"] = {"claimName": "shared"}
    await LocalRun(study, places).run()
    assert [path.read_text() for path in folders(places, "*/0/steps")] == ["3"]


async def test_what_is_still_needed_stays(tmp_path: Path) -> None:
    """The best trial's, those of open trials, and those of trials whose process has not ended."""
    trials = FakeTrialRepository(spec(parallelism=5))
    await trials.ask(5)
    values = {0: 0.2, 1: 0.9, 2: 0.4, 3: None}
    await trials.tell(
        [
            Outcome(number, EndState.FAILED if value is None else EndState.COMPLETE, value, "Complete", "", 1.0)
            for number, value in values.items()
        ]
    )
    folders = CheckpointFolders(tmp_path)
    for name in ("0", "1", "2", "3", "4", "17", "notes"):
        (tmp_path / name).mkdir()
    remove(folders.unneeded(trials, [job(2), job(3, "Failed")]))
    assert sorted(os.listdir(tmp_path)) == ["1", "17", "2", "4", "notes"]


async def test_of_several_objectives_those_on_the_front_stay(tmp_path: Path) -> None:
    objectives = [{"metric": "accuracy", "direction": "Maximize"}, {"metric": "size", "direction": "Minimize"}]
    trials = FakeTrialRepository(spec(objectives=objectives, parallelism=3))
    await trials.ask(3)
    values = {0: (0.9, 9.0), 1: (0.5, 1.0), 2: (0.5, 2.0)}
    await trials.tell(
        [
            Outcome(number, EndState.COMPLETE, accuracy, "Complete", "", 1.0, further={"size": size})
            for number, (accuracy, size) in values.items()
        ]
    )
    for number in values:
        (tmp_path / str(number)).mkdir()
    assert CheckpointFolders(tmp_path).unneeded(trials, ()) == [tmp_path / "2"]


async def test_where_trials_go_on_from_others_all_stay_until_there_is_nothing_more_to_try(tmp_path: Path) -> None:
    trials = FakeTrialRepository(spec(parallelism=2))
    await trials.ask(2)
    await trials.tell([Outcome(number, EndState.COMPLETE, number, "Complete", "", 1.0) for number in (0, 1)])
    folders = CheckpointFolders(tmp_path)
    (tmp_path / "0").mkdir()
    assert folders.unneeded(trials, (), may_be_parents=True) == []
    trials.points = 2
    assert folders.unneeded(trials, (), may_be_parents=True) == [tmp_path / "0"]


@pytest.mark.parametrize("inherits", [True, False])
async def test_the_parents_of_open_trials_stay_where_these_go_on_from_them(tmp_path: Path, inherits: bool) -> None:
    """Nothing more is to be tried once the last child was asked for, but it has yet to start, or may be retried."""
    trials = FakeTrialRepository(spec(parallelism=2))
    trials.points, trials.lineages = 3, {2: Lineage(parent=0, inherits=inherits)}
    await trials.ask(2)
    await trials.tell([Outcome(number, EndState.COMPLETE, number, "Complete", "", 1.0) for number in (0, 1)])
    await trials.ask(1)
    folders = CheckpointFolders(tmp_path)
    (tmp_path / "0").mkdir()
    assert folders.unneeded(trials, (), may_be_parents=True) == ([] if inherits else [tmp_path / "0"])
    await trials.tell([Outcome(2, EndState.COMPLETE, 2.0, "Complete", "", 1.0)])
    assert folders.unneeded(trials, (), may_be_parents=True) == [tmp_path / "0"]


def test_a_child_is_told_of_its_parents_directory(tmp_path: Path) -> None:
    assert CheckpointFolders(tmp_path).variables(7, attempt=2, parent=3) == {
        "TUNING_CHECKPOINT_DIR": str(tmp_path / "7"),
        "TUNING_RESUME_FROM": str(tmp_path / "3"),
    }


def test_before_the_first_checkpoint_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert CheckpointFolders(tmp_path / "none").unneeded(FakeTrialRepository(spec()), ()) == []


def test_studies_have_directories_of_their_own() -> None:
    places = Places()
    first, second = (StudyKey("local", "digits", f"{digit * 8}-0000") for digit in "12")
    assert places.checkpoints(first) != places.checkpoints(second)


def folders(places: Places, pattern: str) -> list[Path]:
    """Return what there is below the checkpoints of all studies."""
    return sorted((places.directory / "checkpoints").glob(pattern))
