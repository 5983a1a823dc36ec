from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

import tuning_trainer as tuning
from tests.trainer.attempts import steps_of_parent_and_child, steps_of_two_attempts
from tuning_contract import FinalState, TrialEnd
from tuning_trainer.testing import FakeStudy, fake_study

pytestmark = pytest.mark.training


@pytest.fixture(autouse=True)
def _keras_on_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


def fitted(prune_at: int | None = None, metrics: Any = None, validation: bool = True, **options: Any) -> FakeStudy:
    import keras
    import numpy

    from tuning_trainer.callbacks.keras import TuningCallback

    ones = numpy.ones((8, 1), dtype="float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"])
    with fake_study(prune_at=prune_at) as study:
        model.fit(
            ones,
            ones,
            validation_data=(ones, ones) if validation else None,
            callbacks=[TuningCallback(metrics=metrics)],
            verbose=0,
            **options,
        )
    return study


def steps(study: FakeStudy) -> list[int]:
    return [report.step for report in study.reports]


def test_each_epoch_is_reported_with_all_that_keras_logs() -> None:
    study = fitted(epochs=3)
    assert steps(study) == [1, 2, 3]
    assert all(report.values.keys() == {"loss", "mae", "val_loss", "val_mae"} for report in study.reports)
    assert study.values("val_loss") == sorted(study.values("val_loss"), reverse=True)
    assert study.end == TrialEnd(FinalState.COMPLETE)


def test_a_pruned_training_stops_after_that_epoch() -> None:
    study = fitted(prune_at=2, epochs=5)
    assert steps(study) == [1, 2]
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_training_that_goes_on_counts_the_epochs_before_it() -> None:
    assert steps(fitted(epochs=5, initial_epoch=3)) == [4, 5]


def test_one_metric_can_be_chosen() -> None:
    assert [set(report.values) for report in fitted(epochs=1, metrics="val_mae").reports] == [{"val_mae"}]


def test_chosen_metrics_are_reported_in_the_epochs_that_have_them() -> None:
    study = fitted(epochs=4, validation_freq=2, metrics={"val_loss": "loss"})
    assert [(report.step, set(report.values)) for report in study.reports] == [(2, {"loss"}), (4, {"loss"})]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_a_further_attempt_reports_the_epochs_that_are_left(tmp_path: Path) -> None:
    import keras
    import numpy

    from tuning_trainer.callbacks.keras import TuningCallback

    def train(checkpoints: Path, epochs: int) -> None:
        class Killed(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                if epoch == epochs:
                    raise InterruptedError

        ones = numpy.ones((8, 1), dtype="float32")
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(optimizer="sgd", loss="mse")
        callbacks = [keras.callbacks.BackupAndRestore(checkpoints), TuningCallback(), Killed()]
        model.fit(ones, ones, epochs=4, callbacks=callbacks, verbose=0)

    assert steps_of_two_attempts(train, tmp_path / "checkpoints") == [[1, 2], [3, 4]]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_a_child_goes_on_from_the_model_that_its_parent_saved(tmp_path: Path) -> None:
    import keras
    import numpy

    from tuning_trainer.callbacks.keras import TuningCallback

    def train(checkpoints: Path, epochs: int) -> None:
        ones = numpy.ones((8, 1), dtype="float32")
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(optimizer="sgd", loss="mse")
        found = tuning.current_trial().resume_dir
        last = max(found.glob("*.weights.h5"), default=None) if found else None
        if last:
            model.load_weights(last)
        saving = keras.callbacks.ModelCheckpoint(checkpoints / "{epoch:04}.weights.h5", save_weights_only=True)
        done = int(last.name[:4]) if last else 0
        model.fit(ones, ones, initial_epoch=done, epochs=epochs, callbacks=[saving, TuningCallback()], verbose=0)

    assert steps_of_parent_and_child(train, tmp_path / "checkpoints") == [[1, 2], [3, 4]]


def test_without_keras_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tuning_trainer.callbacks.keras", raising=False)
    monkeypatch.setitem(sys.modules, "keras.callbacks", None)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ModuleNotFoundError, match="install keras and a backend"):
        importlib.import_module("tuning_trainer.callbacks.keras")
