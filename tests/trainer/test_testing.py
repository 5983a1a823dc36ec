from __future__ import annotations

import threading
from pathlib import Path

import pytest

import tuning_trainer as tuning
from tuning_contract import FinalState, TrialEnd
from tuning_trainer.testing import fake_study


def train(epochs: int = 5) -> None:
    trial = tuning.current_trial(defaults={"rate": 0.1, "layers": 2})
    for epoch in range(1, (trial.budget or epochs) + 1):
        trial.report({"loss": trial.parameters["rate"] / epoch, "layers": trial.parameters["layers"]}, step=epoch)
        if trial.should_prune():
            trial.prune()


def test_reports_are_recorded_and_the_end_of_the_block_completes_the_trial() -> None:
    with fake_study({"rate": 1.0}) as study:
        train()
        assert study.end is None
    assert [report.step for report in study.reports] == [1, 2, 3, 4, 5]
    assert study.values("loss")[:2] == [1.0, 0.5]
    assert study.values("layers") == [2.0] * 5
    assert study.end == TrialEnd(FinalState.COMPLETE)


def test_a_pruned_trial_leaves_the_block_quietly() -> None:
    with fake_study(prune_at=3) as study:
        train()
    assert [report.step for report in study.reports] == [1, 2, 3]
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_raising_trial_pruned_is_the_same() -> None:
    def objective() -> None:
        raise tuning.TrialPruned

    with fake_study() as study:
        objective()
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_an_exception_is_recorded_and_passes_on() -> None:
    with pytest.raises(ZeroDivisionError), fake_study() as study:
        _ = 1 / 0
    assert study.end == TrialEnd(FinalState.FAILED, "ZeroDivisionError: division by zero")


@pytest.mark.parametrize("code", [0, 3])
def test_a_script_that_exits_by_itself_passes_on_and_says_nothing(code: int) -> None:
    with pytest.raises(SystemExit), fake_study() as study:
        raise SystemExit(code)
    assert study.end is None


def test_the_trials_properties_can_be_set(tmp_path: Path) -> None:
    with fake_study(number=4, seed=9, budget=2, objective="loss", checkpoint_dir=tmp_path, resume_from=str(tmp_path)):
        trial = tuning.current_trial()
        assert (trial.number, trial.seed, trial.budget, trial.objective) == (4, 9, 2, "loss")
        assert (trial.checkpoint_dir, trial.resume_from) == (tmp_path, tmp_path)


def test_several_objectives_can_be_set() -> None:
    with fake_study(objectives=["accuracy", "latency"]):
        trial = tuning.current_trial()
        assert (trial.objective, trial.objectives) == (None, ("accuracy", "latency"))


def test_studies_nest_and_leave_nothing_behind() -> None:
    threads = threading.active_count()
    with fake_study({"rate": 1.0}) as outer:
        with fake_study({"rate": 2.0}) as inner:
            train(1)
        train(1)
    assert (inner.values("loss"), outer.values("loss")) == ([2.0], [1.0])
    assert threading.active_count() == threads
