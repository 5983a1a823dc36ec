"""The learning-rate range test of the digits network: one trial finds the rates that its optimiser learns with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import count
from typing import Any

from tuning_trainer.errors import TrialFailed
from tuning_trainer.lr_curve import LRCurve, LRPoint
from tuning_trainer.tasks.digits import load_digits
from tuning_trainer.tasks.mlp import BATCH_SIZE, NET, OPTIMIZER, build_model, build_optimizer, seeded_device
from tuning_trainer.tasks.parameters import ChoiceParameter, FloatParameter, IntParameter
from tuning_trainer.tasks.task import Task
from tuning_trainer.trial import Trial

_log = logging.getLogger(__name__)


def train(trial: Trial, parameters: Mapping[str, Any]) -> None:
    """Report each rate of the sweep with its loss as a step, and the rates that they suggest as the last one.

    Raises
    ------
    TrialFailed
        The rates make no sweep, or suggest nothing.
    """
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader, TensorDataset

    from tuning_trainer.lr_range import LRRangeTest

    if parameters["lr_low"] >= parameters["lr_high"]:
        raise TrialFailed(f"lr_low is {parameters['lr_low']}, which is not less than lr_high, {parameters['lr_high']}")
    device = seeded_device(trial.seed)
    digits = load_digits(device)
    model = build_model(parameters).to(device)
    test = LRRangeTest(
        model,
        build_optimizer(model, parameters, parameters["lr_low"]),
        cross_entropy,
        DataLoader(TensorDataset(digits.train_images, digits.train_labels), parameters["batch_size"], shuffle=True),
        validation=[(digits.validation_images, digits.validation_labels)]
        if parameters["loss"] == "validation"
        else None,
    )
    steps = count(1)

    def report(point: LRPoint) -> None:
        values = {"lr": point.learning_rate, "loss": point.loss, "smoothed_loss": point.smoothed}
        trial.report(values, step=next(steps))
        if trial.should_prune():
            trial.prune()

    curve = test.run(
        parameters["lr_low"],
        parameters["lr_high"],
        parameters["lr_steps"],
        sweep=parameters["sweep"],
        on_point=report,
    )
    trial.report(suggested(curve), step=next(steps))


def suggested(curve: LRCurve) -> dict[str, float]:
    """Return the rates that the curve suggests as metrics; TrialFailed says why there are none."""
    suggestions = curve.suggestions()
    if suggestions is None:
        raise TrialFailed(str(curve.why_no_suggestion()))
    if not curve.diverged and suggestions.minimum * 10 == curve.points[-1].learning_rate:
        _log.warning("The loss still falls at the highest rate: raise lr_high to see where it begins to rise")
    return {
        "suggested_lr": suggestions.valley,
        "steepest_lr": suggestions.steepest,
        "minimum_lr": suggestions.minimum,
        "range_min_lr": suggestions.range_min,
        "range_max_lr": suggestions.range_max,
    }


DIGITS_LR_RANGE = Task(
    name="digits-lr-range",
    summary="range test of the network of digits-mlp; reports lr and loss each step, and suggested_lr at the end",
    parameters=(
        FloatParameter("lr_low", 1e-6, 1e-12, 1000.0, "first learning rate"),
        FloatParameter("lr_high", 10.0, 1e-12, 1000.0, "last learning rate, unless the loss diverges before"),
        IntParameter("lr_steps", 100, 2, 100_000, "steps from the first to the last rate"),
        ChoiceParameter("sweep", "exponential", ("exponential", "linear"), "how the rate rises"),
        ChoiceParameter(
            "loss", "batch", ("batch", "validation"), "the step's own, or of the validation images after it"
        ),
        *OPTIMIZER,
        *NET,
        BATCH_SIZE,
    ),
    train=train,
)
