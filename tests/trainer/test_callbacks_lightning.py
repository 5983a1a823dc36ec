from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

import tuning_trainer as tuning
from tests.trainer.attempts import StepsOf, steps_of_parent_and_child, steps_of_two_attempts
from tests.trainer.fake_operator import Answer, FakeOperator
from tests.trainer.scripts import Script
from tuning_contract import FinalState, ReportReply, TrialEnd
from tuning_trainer.testing import FakeStudy, fake_study

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval:UserWarning"),
]

MODEL = """\
import torch
from lightning.pytorch import LightningModule, Trainer
from tuning_trainer.callbacks.lightning import TuningCallback

class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch).square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log_dict({"val_loss": self.layer(batch).square().mean(), "bad name": 1.0})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

def loader():
    return torch.utils.data.DataLoader(torch.ones(8, 1), batch_size=2)

def fit(directory, metrics=None, validation=True, **options):
    trainer = Trainer(
        accelerator="cpu", default_root_dir=directory, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[TuningCallback(metrics=metrics)], **options,
    )
    trainer.fit(Line(), loader(), loader() if validation else None)
"""

MANY_EPOCHS = 100_000
"""More than there is time for: a busy machine may answer a report only after hundreds of them."""

ON_TWO_RANKS = f"""{MODEL}
import os
import tuning_trainer as tuning

trial = tuning.current_trial()
try:
    fit({{directory!r}}, max_epochs={MANY_EPOCHS}, strategy="ddp", devices=2)
finally:
    # One write, so that the lines of two ranks don't mix.
    os.write(1, f"rank {{os.environ['LOCAL_RANK']}} was told to stop\\n".encode())
"""


def model() -> dict[str, Any]:
    """Return the names that the text of the model defines."""
    names: dict[str, Any] = {}
    exec(MODEL, names)
    return names


def fit(directory: Path, **options: Any) -> None:
    model()["fit"](directory, **options)


def fitted(directory: Path, prune_at: int | None = None, **options: Any) -> FakeStudy:
    with fake_study(prune_at=prune_at) as study:
        fit(directory, **options)
    return study


def steps(study: FakeStudy) -> list[int]:
    return [report.step for report in study.reports]


def test_each_epoch_is_reported_with_its_training_and_validation_metrics(tmp_path: Path) -> None:
    study = fitted(tmp_path, max_epochs=3)
    assert steps(study) == [1, 2, 3]
    assert all(report.values.keys() == {"train_loss", "val_loss"} for report in study.reports)
    assert study.values("val_loss") == sorted(study.values("val_loss"), reverse=True)
    assert study.end == TrialEnd(FinalState.COMPLETE)


def test_a_pruned_training_stops_after_that_epoch(tmp_path: Path) -> None:
    study = fitted(tmp_path, prune_at=2, max_epochs=5)
    assert steps(study) == [1, 2]
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_metrics_can_be_chosen_and_renamed(tmp_path: Path) -> None:
    study = fitted(tmp_path, max_epochs=1, metrics={"val_loss": "validation/loss"})
    assert [set(report.values) for report in study.reports] == [{"validation/loss"}]


def test_several_validations_of_one_epoch_are_one_report(tmp_path: Path) -> None:
    assert steps(fitted(tmp_path, max_epochs=2, val_check_interval=0.5)) == [1, 2]


def test_an_epoch_without_validation_is_not_reported(tmp_path: Path) -> None:
    assert steps(fitted(tmp_path, max_epochs=4, check_val_every_n_epoch=2)) == [2, 4]


@pytest.mark.filterwarnings("ignore:.*defined a `validation_step` but have no:UserWarning")
def test_without_any_validation_the_training_metrics_are_reported(tmp_path: Path) -> None:
    study = fitted(tmp_path, max_epochs=2, validation=False)
    assert [(report.step, set(report.values)) for report in study.reports] == [(1, {"train_loss"}), (2, {"train_loss"})]


def test_a_metric_that_is_not_logged_is_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tuning_trainer"):
        study = fitted(tmp_path, max_epochs=2, metrics=["val_loss", "val_accuracy"])
    assert [set(report.values) for report in study.reports] == [{"val_loss"}] * 2
    (warning,) = [record.getMessage() for record in caplog.records if record.name.startswith("tuning_trainer")]
    assert warning == "metric 'val_accuracy' is not reported: the framework logged bad name, train_loss, val_loss only"


@pytest.mark.filterwarnings("ignore:.*defined a `validation_step` but have no:UserWarning")
@pytest.mark.filterwarnings("ignore:.*exists and is not empty:UserWarning")
@pytest.mark.filterwarnings("ignore:.*dirpath has changed from:UserWarning")
@pytest.mark.parametrize("steps_of", [steps_of_two_attempts, steps_of_parent_and_child])
def test_a_further_attempt_and_a_child_report_the_epochs_that_are_left(tmp_path: Path, steps_of: StepsOf) -> None:
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint

    from tuning_trainer.callbacks.lightning import TuningCallback

    def train(checkpoints: Path, epochs: int) -> None:
        names = model()
        saving = ModelCheckpoint(dirpath=checkpoints, save_last=True)
        trainer = Trainer(
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            max_epochs=epochs,
            callbacks=[TuningCallback(), saving],
        )
        found = tuning.current_trial().resume_dir
        trainer.fit(names["Line"](), names["loader"](), ckpt_path=found and found / "last.ckpt")

    assert steps_of(train, tmp_path / "checkpoints") == [[1, 2], [3, 4]]


def test_two_ranks_of_lightnings_own_launcher_stop_together_and_one_reports(
    operator: FakeOperator, script: Script, tmp_path: Path
) -> None:
    operator.answers.append(Answer(body=ReportReply(stop=True, reason="Pruned").to_json()))
    result = script.run(ON_TWO_RANKS.replace("{directory!r}", repr(str(tmp_path))), environ={"OMP_NUM_THREADS": "1"})
    assert result.returncode == 0, result.stderr
    told = [line for line in result.stdout.splitlines() if line.endswith("was told to stop")]
    assert sorted(told) == ["rank 0 was told to stop", "rank 1 was told to stop"]
    assert operator.steps == list(range(1, len(operator.steps) + 1))
    assert len(operator.steps) < MANY_EPOCHS
    assert operator.ends == [TrialEnd(FinalState.PRUNED)]


def test_without_lightning_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tuning_trainer.callbacks.lightning", raising=False)
    monkeypatch.delitem(sys.modules, "pytorch_lightning", raising=False)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    with pytest.raises(ModuleNotFoundError, match="install lightning"):
        importlib.import_module("tuning_trainer.callbacks.lightning")
