"""The callback for Keras 3, with any of its backends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning_trainer.callbacks.reporting import MetricChoice, Metrics
from tuning_trainer.session import current_trial
from tuning_trainer.trial import Trial

try:
    from keras.callbacks import Callback
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("tuning_trainer.callbacks.keras needs Keras: install keras and a backend") from missing


class TuningCallback(Callback):  # type: ignore[misc]  # it has no types
    """Reports each epoch, with step = epochs done, and ends a pruned trial at the end of `Model.fit`.

    Give it as the last of the callbacks: those after it do not see the end of a pruned training.

    Parameters
    ----------
    trial
        Default: the trial that this process trains.
    metrics
        Names as they were logged, or a mapping from them to the study's names; default: everything logged.
    """

    def __init__(self, trial: Trial | None = None, metrics: Metrics = None) -> None:
        super().__init__()
        self._trial = current_trial() if trial is None else trial
        self._choice = MetricChoice(metrics)
        self._pruned = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        values = self._choice.of(logs or {})
        if values:
            self._trial.report(values, step=epoch + 1)
        if self._trial.should_prune():
            self._pruned = self.model.stop_training = True

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._pruned:
            self._trial.prune()
