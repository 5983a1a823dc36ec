"""The callback for PyTorch Lightning, as `lightning` or as `pytorch_lightning`."""

from __future__ import annotations

import sys
from typing import Any

from tuning_trainer.callbacks.reporting import MetricChoice, Metrics
from tuning_trainer.session import current_trial
from tuning_trainer.trial import Trial

try:
    if "pytorch_lightning" in sys.modules:  # the two packages' classes do not mix: take the one that the script took
        from pytorch_lightning import Callback
    else:
        from lightning.pytorch import Callback
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "tuning_trainer.callbacks.lightning needs PyTorch Lightning: install lightning, "
        "or import pytorch_lightning before this module"
    ) from missing


class TuningCallback(Callback):  # type: ignore[misc]  # its types are skipped
    """Reports each validated epoch, with step = epochs done, and ends a pruned trial after `Trainer.fit`.

    It reports at the end of the training epoch, because only then the epoch's training metrics are complete; an epoch
    without validation is not reported, unless the model has none at all. Several validations of one epoch are one
    report, of the last. The check before training is not reported. `min_epochs` and `min_steps` come before pruning.

    Parameters
    ----------
    trial
        Default: the trial that this process trains.
    metrics
        Names as they were logged, or a mapping from them to the study's names; default: everything logged for epochs.
    """

    def __init__(self, trial: Trial | None = None, metrics: Metrics = None) -> None:
        super().__init__()
        self._trial = current_trial() if trial is None else trial
        self._choice = MetricChoice(metrics)
        self._validated = False
        self._pruned = False

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.enable_validation and not self._validated:
            return
        self._validated = False
        values = self._choice.of(trainer.callback_metrics) if trainer.is_global_zero else {}
        if values:
            self._trial.report(values, step=trainer.current_epoch + 1)
        if self._trial.should_prune():  # on all ranks, whatever they logged: it is a collective operation
            self._pruned = trainer.should_stop = True

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if self._pruned:
            self._trial.prune()
