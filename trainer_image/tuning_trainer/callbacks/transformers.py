"""The callback for Hugging Face's `Trainer`."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from tuning_trainer.callbacks.reporting import MetricChoice, Metrics
from tuning_trainer.session import current_trial
from tuning_trainer.trial import Trial

try:
    from transformers import TrainerCallback
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "tuning_trainer.callbacks.transformers needs Hugging Face's Trainer: install transformers and accelerate"
    ) from missing

_log = logging.getLogger(__name__)


class TuningCallback(TrainerCallback):  # type: ignore[misc]  # its types are skipped
    """Reports each evaluation during training, and ends a pruned trial at the end of `Trainer.train`.

    The step is the number of epochs done, or with `eval_strategy="steps"` the number of optimizer steps done.
    Evaluations before and after the training are not reported. With several evaluation datasets, name the metrics: a
    report is made once all of them are there, else of the first dataset only.

    Parameters
    ----------
    trial
        Default: the trial that this process trains.
    metrics
        Names such as `eval_loss`, or a mapping from them to the study's names; default: all that the evaluation gave.
    """

    def __init__(self, trial: Trial | None = None, metrics: Metrics = None) -> None:
        self._trial = current_trial() if trial is None else trial
        self._choice = MetricChoice(metrics)
        self._evaluated: dict[str, Any] = {}
        self._step = self._reported_step = 0
        self._training = self._pruned = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._training = True

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any], **kwargs: Any) -> None:
        step = state.global_step if args.eval_strategy == "steps" else math.ceil(state.epoch or 0)
        if not self._training or step in (0, self._reported_step):
            return
        self._evaluated = {**(self._evaluated if step == self._step else {}), **metrics}
        self._step = step
        if not self._choice.complete(self._evaluated):
            return
        self._reported_step = step
        if state.is_world_process_zero:
            self._trial.report(self._choice.of(self._evaluated), step=step)
        if self._trial.should_prune():
            self._pruned = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._training = False
        if self._reported_step == 0:
            _log.warning(
                "nothing was reported: set eval_strategy to 'epoch' or 'steps', "
                "and name only metrics that the evaluation gives"
            )
        if self._pruned:
            self._trial.prune()
