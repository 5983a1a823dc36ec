from __future__ import annotations

import math
import signal
import sys
from pathlib import Path

import pytest

from tests.trainer.digits_training import trained
from tests.trainer.fake_operator import FakeOperator
from tests.trainer.scripts import Script
from tuning_contract import FinalState, TrialEnd
from tuning_trainer.tasks.digits import CLASSES, PIXELS, VALIDATION_IMAGES, load_digits
from tuning_trainer.tasks.mlp import ACTIVATIONS

pytestmark = pytest.mark.training


def test_the_digits_are_those_of_scikit_learn_in_a_fixed_split() -> None:
    import torch
    from sklearn import datasets

    digits = load_digits(torch.device("cpu"))
    assert digits.train_images.shape == (1797 - VALIDATION_IMAGES, PIXELS)
    assert digits.validation_images.shape == (VALIDATION_IMAGES, PIXELS)
    images = torch.cat([digits.validation_images, digits.train_images]) * 16
    labels = torch.cat([digits.validation_labels, digits.train_labels])
    theirs, their_labels = datasets.load_digits(return_X_y=True)
    assert sorted(zip(labels.tolist(), images.tolist(), strict=True)) == sorted(
        zip(their_labels.tolist(), theirs.tolist(), strict=True)
    )
    assert set(digits.validation_labels.tolist()) == set(range(CLASSES))
    assert torch.equal(load_digits(torch.device("cpu")).validation_images, digits.validation_images)


def test_good_parameters_recognise_97_of_100_digits() -> None:
    study = trained(learning_rate=0.002, hidden_layers=1, hidden_units=200, dropout=0.3)
    assert [report.step for report in study.reports] == list(range(1, 26))
    assert study.values("val_accuracy")[-1] >= 0.97
    assert study.values("val_loss")[-1] < study.values("val_loss")[0]
    assert study.values("train_loss")[-1] < study.values("train_loss")[0]
    assert study.end == TrialEnd(FinalState.COMPLETE)


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"),
    [("sgd", 0.05), ("rmsprop", 0.0005), ("adam", 0.002), ("adamw", 0.002), ("adadelta", 1.0)],
)
def test_every_optimizer_learns(optimizer: str, learning_rate: float) -> None:
    study = trained(optimizer=optimizer, learning_rate=learning_rate, momentum=0.8, epochs=5)
    assert study.values("val_accuracy")[-1] > 0.85


def test_momentum_matters_to_sgd_and_not_to_adam() -> None:
    sgd = [trained(optimizer="sgd", momentum=momentum, epochs=1).values("val_loss") for momentum in (0.0, 0.9)]
    adam = [trained(optimizer="adam", momentum=momentum, epochs=1).values("val_loss") for momentum in (0.0, 0.9)]
    assert sgd[0] != sgd[1]
    assert adam[0] == adam[1]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_learns(activation: str) -> None:
    study = trained(activation_1=activation, hidden_layers=1, learning_rate=0.01, epochs=4)
    assert study.values("val_accuracy")[-1] > 0.85


def test_the_loss_is_per_image_whatever_the_batch_size() -> None:
    """A batch of another size, or a last one that is not full, is no advantage."""
    losses = [
        trained(batch_size=size, dropout=0.0, learning_rate=1e-8, epochs=1).values("train_loss") for size in (7, 1000)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_the_seed_decides_the_result() -> None:
    first, again, other = (trained(seed=seed, epochs=2).values("val_loss") for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_studys_budget_comes_before_the_epochs() -> None:
    assert len(trained(budget=3, epochs=7).reports) == 3
    assert len(trained(epochs=2).reports) == 2


def test_a_pruned_trial_stops_training() -> None:
    study = trained(prune_at=2)
    assert len(study.reports) == 2
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_a_learning_rate_that_diverges_is_reported_and_no_crash() -> None:
    study = trained(optimizer="sgd", learning_rate=1000.0, hidden_layers=3, epochs=3)
    assert len(study.reports) == 3
    assert not all(math.isfinite(loss) for loss in study.values("train_loss"))


def test_the_ready_made_trainer_reports_to_an_operator_and_says_that_it_is_complete(
    operator: FakeOperator, script: Script
) -> None:
    text = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['--task=digits-mlp', '--epochs=3']\n"
        "runpy.run_module('tuning_trainer', run_name='__main__')"
    )
    result = script.run(text, parameters={"hidden_units": 32})
    assert result.returncode == 0, result.stderr
    assert operator.steps == [1, 2, 3]
    assert operator.ends == [TrialEnd(FinalState.COMPLETE)]
    assert len(result.stderr.splitlines()) == 3


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"install tuning-operator\[trainer\]"):
        load_digits(torch.device("cpu"))


KILLED_AFTER_EPOCH_3 = """\
import os, runpy, signal, sys
import tuning_trainer as tuning

save = tuning.Trial.save

def save_and_die(trial, state, step):
    save(trial, state, step)
    if step == 3:
        os.kill(os.getpid(), signal.SIGKILL)

tuning.Trial.save = save_and_die
sys.argv[1:] = ["--task=digits-mlp", "--epochs=6"]
runpy.run_module("tuning_trainer", run_name="__main__")
"""


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_training_that_was_killed_and_goes_on_ends_as_an_undisturbed_one(
    operator: FakeOperator, script: Script, tmp_path: Path, optimizer: str
) -> None:
    parameters = {"optimizer": optimizer, "dropout": 0.3, "learning_rate": 0.002}
    fields = {"parameters": parameters, "seed": 5, "checkpoint_dir": str(tmp_path / "checkpoints")}
    killed = script.run(KILLED_AFTER_EPOCH_3, **fields)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = script.run(KILLED_AFTER_EPOCH_3, attempt=2, **fields)
    assert resumed.returncode == 0, resumed.stderr
    assert operator.steps == [1, 2, 3, 4, 5, 6]

    undisturbed = trained(seed=5, epochs=6, **parameters)
    assert [report.values for report in operator.reports] == [report.values for report in undisturbed.reports]


def test_a_trial_that_went_on_to_its_end_has_nothing_left_to_train(tmp_path: Path) -> None:
    first = trained(epochs=2, attempt=1, checkpoint_dir=tmp_path)
    again = trained(epochs=2, attempt=2, checkpoint_dir=tmp_path)
    assert (len(first.reports), len(again.reports)) == (2, 0)
    assert again.end == TrialEnd(FinalState.COMPLETE)
