from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import tuning_trainer as tuning
from tests.trainer.attempts import StepsOf, steps_of_parent_and_child, steps_of_two_attempts
from tuning_contract import FinalState, TrialEnd
from tuning_trainer.testing import FakeStudy, fake_study

pytestmark = pytest.mark.training


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        prediction = self.layer(x)
        return {"loss": (prediction - labels).square().mean(), "prediction": prediction}


def prepared(directory: Path, metrics: Any = None, evaluation_sets: tuple[str, ...] = (), **arguments: Any) -> Any:
    """Return a trainer of three epochs with the callback."""
    from transformers import Trainer, TrainingArguments

    from tuning_trainer.callbacks.transformers import TuningCallback

    rows = [{"x": torch.ones(1), "labels": torch.ones(1)}] * 8
    given = {"num_train_epochs": 3, "eval_strategy": "epoch", "save_strategy": "no", **arguments}
    return Trainer(
        model=Line(),
        args=TrainingArguments(
            output_dir=str(directory),
            per_device_train_batch_size=2,
            learning_rate=0.1,
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            **given,
        ),
        train_dataset=rows,
        eval_dataset=dict.fromkeys(evaluation_sets, rows) if evaluation_sets else rows,
        callbacks=[TuningCallback(metrics=metrics)],
    )


def trained(directory: Path, prune_at: int | None = None, **options: Any) -> FakeStudy:
    with fake_study(prune_at=prune_at) as study:
        trainer = prepared(directory, **options)
        trainer.train()
        trainer.evaluate()
    return study


def steps(study: FakeStudy) -> list[int]:
    return [report.step for report in study.reports]


def test_the_evaluation_of_each_epoch_is_reported_and_none_after_the_training(tmp_path: Path) -> None:
    study = trained(tmp_path)
    assert steps(study) == [1, 2, 3]
    assert len(study.values("eval_loss")) == 3
    assert study.end == TrialEnd(FinalState.COMPLETE)


def test_a_pruned_training_stops_after_that_evaluation(tmp_path: Path) -> None:
    study = trained(tmp_path, prune_at=2, num_train_epochs=5)
    assert steps(study) == [1, 2]
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_evaluations_by_steps_are_reported_by_steps(tmp_path: Path) -> None:
    study = trained(tmp_path, prune_at=6, eval_strategy="steps", eval_steps=3, num_train_epochs=9)
    assert steps(study) == [3, 6]
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_the_evaluation_before_the_training_is_not_reported(tmp_path: Path) -> None:
    assert steps(trained(tmp_path, eval_on_start=True)) == [1, 2, 3]


def test_an_incomplete_last_epoch_is_a_step_of_its_own(tmp_path: Path) -> None:
    assert steps(trained(tmp_path, max_steps=9)) == [1, 2, 3]


def test_metrics_can_be_chosen_and_renamed(tmp_path: Path) -> None:
    study = trained(tmp_path, num_train_epochs=1, metrics={"eval_loss": "loss"})
    assert [set(report.values) for report in study.reports] == [{"loss"}]


def test_metrics_of_several_evaluation_sets_are_one_report(tmp_path: Path) -> None:
    names = ["eval_easy_loss", "eval_hard_loss"]
    study = trained(tmp_path, evaluation_sets=("easy", "hard"), metrics=names)
    assert [(report.step, sorted(report.values)) for report in study.reports] == [(n, names) for n in (1, 2, 3)]


@pytest.mark.parametrize("unreported", [{"eval_strategy": "no"}, {"metrics": ["eval_f1"]}])
def test_a_training_that_reports_nothing_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, unreported: dict[str, Any]
) -> None:
    with caplog.at_level(logging.WARNING, "tuning_trainer"):
        study = trained(tmp_path, **unreported)
    assert study.reports == []
    (warning,) = [record.getMessage() for record in caplog.records if record.name.startswith("tuning_trainer")]
    assert warning.startswith("nothing was reported: set eval_strategy")


@pytest.mark.parametrize("steps_of", [steps_of_two_attempts, steps_of_parent_and_child])
def test_a_further_attempt_and_a_child_report_the_epochs_that_are_left(tmp_path: Path, steps_of: StepsOf) -> None:
    from transformers.trainer_utils import get_last_checkpoint

    def train(checkpoints: Path, epochs: int) -> None:
        trainer = prepared(checkpoints, num_train_epochs=epochs, save_strategy="epoch", save_total_limit=2)
        found = tuning.current_trial().resume_dir
        trainer.train(resume_from_checkpoint=found and get_last_checkpoint(found))

    assert steps_of(train, tmp_path / "checkpoints") == [[1, 2], [3, 4]]


def test_without_transformers_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tuning_trainer.callbacks.transformers", raising=False)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModuleNotFoundError, match="install transformers and accelerate"):
        importlib.import_module("tuning_trainer.callbacks.transformers")
