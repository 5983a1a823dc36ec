"""Simulated trainings: what a trial reports after each epoch, and how long each takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.functions import Function, Point

EPOCHS = 27
"""Of a whole training: three rungs of a factor of 3."""
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


@dataclass(frozen=True)
class Training:
    """A training as it would go if nobody stopped it."""

    epoch_seconds: float
    values: Sequence[tuple[float, ...]]
    """What is reported after each epoch, of each objective; the last is the function's, with its noise."""

    @property
    def seconds(self) -> float:
        """How long all of it takes."""
        return START_SECONDS + len(self.values) * self.epoch_seconds


def train(function: Function, point: Point, seed: int, number: int, with_curve: bool) -> Training:
    """Return a trial's training, which depends on nothing else than the arguments.

    The curve is the power law f + spread (e^-a - E^-a) with noise that ends at the last epoch E: what is early a bad
    sign may be a slow learner. Without a curve only the last epoch is reported, after the same time.
    """
    chance = np.random.default_rng([seed, number])
    time, speed, noise = chance.normal(0, _TIME_SPREAD), chance.uniform(*_SPEED), chance.normal(0, 1)
    last, *others = function.values(point)
    last = float(last + function.noise * noise)
    epoch_seconds = EPOCH_SECONDS * math.exp(time)
    if not with_curve:
        return Training(epoch_seconds * EPOCHS, [(last, *others)])
    epochs = np.arange(1, EPOCHS)
    curve = last + function.spread * (epochs**-speed - EPOCHS**-speed + _CURVE_NOISE * chance.normal(size=EPOCHS - 1))
    return Training(epoch_seconds, [(value,) for value in (*curve.tolist(), last)])
