"""Simulated trainings: what a trial reports after each epoch or fold, and how long each takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import fmean

import numpy as np

from benchmarks.search.functions import Function, Point

EPOCHS = 27
"""Of a whole training: three rungs of a factor of 3."""
FOLDS = 10
"""Of a trial that is cross-validated, one after the other; together they take as long as a whole training."""
START_SECONDS = 30.0
"""From a Job's creation to its first epoch: scheduling, the image, the data."""
EPOCH_SECONDS = 60.0
"""The median of an epoch."""
_TIME_SPREAD = 0.4
"""Standard deviation of the logarithm of a trial's epoch, for settings and machines differ."""
_CURVE_NOISE = 0.02
"""Standard deviation of an epoch's value, of a function's spread."""
_SPEED = (0.3, 2.0)
"""Exponents of the curves' decay: slow learners and fast ones, so that curves cross."""
_FOLD_SPREAD = 0.1
"""Standard deviation of how hard a fold is, for all trials alike, of a function's spread."""


class Reporting(Enum):
    """What a trial reports, each at a step of its own."""

    END = "end"
    """Its value, once."""
    EPOCHS = "epochs"
    """Its curve."""
    FOLDS = "folds"
    """The value of each fold; its own is their mean."""


@dataclass(frozen=True)
class Training:
    """A training as it would go if nobody stopped it."""

    step_seconds: float
    values: Sequence[tuple[float, ...]]
    """What is reported at each step, of each objective."""
    result: tuple[float, ...]
    """The trial's values: the function's, with its noise."""

    @property
    def seconds(self) -> float:
        """How long all of it takes."""
        return START_SECONDS + len(self.values) * self.step_seconds


def train(function: Function, point: Point, seed: int, number: int, reporting: Reporting) -> Training:
    """Return a trial's training, which depends on nothing else than the arguments and takes the same time whatever it
    reports.

    The curve is the power law f + spread (e^-a - E^-a) with noise that ends at the last epoch E: what is early a bad
    sign may be a slow learner. A fold has its own noise, and is as hard for one trial as for the other.
    """
    chance = np.random.default_rng([seed, number])
    time, speed, noise = chance.normal(0, _TIME_SPREAD), chance.uniform(*_SPEED), chance.normal(0, 1)
    last, *others = function.values(point)
    last = float(last + function.noise * noise)
    epoch_seconds = EPOCH_SECONDS * math.exp(time)
    match reporting:
        case Reporting.END:
            return Training(epoch_seconds * EPOCHS, [(last, *others)], (last, *others))
        case Reporting.EPOCHS:
            epochs = np.arange(1, EPOCHS)
            decay = epochs**-speed - EPOCHS**-speed
            curve = last + function.spread * (decay + _CURVE_NOISE * chance.normal(size=EPOCHS - 1))
            return Training(epoch_seconds, [(value,) for value in (*curve.tolist(), last)], (last,))
        case Reporting.FOLDS:
            hardness = function.spread * _FOLD_SPREAD * np.random.default_rng(seed).normal(size=FOLDS)
            luck = max(function.noise, function.spread * _CURVE_NOISE) * chance.normal(size=FOLDS)
            folds: list[float] = (function.value(point) + hardness + luck).tolist()
            return Training(epoch_seconds * EPOCHS / FOLDS, [(value,) for value in folds], (fmean(folds),))
