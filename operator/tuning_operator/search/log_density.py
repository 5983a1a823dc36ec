"""The density of many trials at a few points: what Optuna's estimator computes, at a fraction of its cost.

Optuna's makes arrays of points x trials x parameters. Here they are of points x a block of trials, which a processor's
cache holds, and what does not depend on the points is computed once for each trial. Sums come in another order, so that
a density may differ from Optuna's in its last digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from optuna.samplers._tpe import _truncnorm
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.probability_distributions import (
    _BatchedCategoricalDistributions,
    _BatchedDiscreteTruncLogNormDistributions,
    _BatchedDiscreteTruncNormDistributions,
    _BatchedTruncLogNormDistributions,
    _BatchedTruncNormDistributions,
    _unique_inverse_2d,
)

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_Discrete = _BatchedDiscreteTruncNormDistributions | _BatchedDiscreteTruncLogNormDistributions
_Continuous = _BatchedTruncNormDistributions | _BatchedTruncLogNormDistributions

_BLOCK = 1_024
"""Trials at a time: 24 points of so many are 200 kB."""
_LOG_SQRT_2_PI = math.log(2 * math.pi) / 2
_ERFC = np.frompyfunc(math.erfc, 1, 1)


def log_density(points: Mapping[str, Numbers], estimator: _ParzenEstimator) -> Numbers:
    """Return the logarithm of an estimator's density at points within its limits: values by parameter."""
    mixture = estimator._mixture_distribution
    weights = np.log(mixture.weights)
    kernels: list[_Kernels] = []
    for values, distribution in zip(points.values(), mixture.distributions, strict=True):
        if isinstance(distribution, _BatchedCategoricalDistributions):
            kernels.append(_Choices(np.log(distribution.weights).T, values.astype(np.intp)))
        elif isinstance(distribution, _Discrete):
            kernels.append(_steps(distribution, values))
        else:
            weights -= _log_scale(distribution)
            kernels.append(
                _Bells(distribution.mu, 1 / distribution.sigma, np.log(values) if distribution.is_log else values)
            )
    parts = []
    count = len(next(iter(points.values())))
    for start in range(0, len(weights), _BLOCK):
        block = slice(start, start + _BLOCK)
        logs = np.tile(weights[block], (count, 1))
        for each in kernels:
            each.add_to(logs, block)
        parts.append(_log_sum_exp(logs))
    found: Numbers = np.logaddexp.reduce(parts)
    return found


class _Kernels(Protocol):
    """One parameter's part of each trial's density."""

    def add_to(self, logs: Numbers, block: slice) -> None:
        """Add its logarithm to an array of points x trials, of a block of trials."""


@dataclass(frozen=True)
class _Bells:
    """Normal distributions, without the factors that don't depend on the point."""

    centres: Numbers
    per_width: Numbers
    points: Numbers

    def add_to(self, logs: Numbers, block: slice) -> None:
        exponents = self.points[:, np.newaxis] - self.centres[block]
        exponents *= self.per_width[block]
        exponents *= exponents
        exponents *= 0.5
        logs -= exponents


@dataclass(frozen=True)
class _Choices:
    by_choice: Numbers
    """Choices x trials."""
    points: Places

    def add_to(self, logs: Numbers, block: slice) -> None:
        logs += self.by_choice[:, block][self.points]


@dataclass(frozen=True)
class _Steps:
    """Few different points and few different kernels, of which most trials have the same."""

    table: Numbers
    """Points x kernels."""
    points: Places
    """Rows of the table."""
    trials: Places
    """Columns of the table."""

    def add_to(self, logs: Numbers, block: slice) -> None:
        logs += self.table[:, self.trials[block]][self.points]


def _steps(distribution: _Discrete, values: Numbers) -> _Steps:
    different, points = np.unique(values, return_inverse=True)
    mu, sigma, trials = _unique_inverse_2d(distribution.mu, distribution.sigma)
    left, right = different - distribution.step / 2, different + distribution.step / 2
    if distribution.is_log:
        left, right = np.log(left), np.log(right)
    table = _log_masses((left[:, np.newaxis] - mu) / sigma, (right[:, np.newaxis] - mu) / sigma)
    return _Steps(table - _log_mass(distribution, mu, sigma), points, trials)


def _log_masses(left: Numbers, right: Numbers) -> Numbers:
    """Return the logarithms of a normal distribution's mass between limits, many of which are the same.

    Beyond 37 standard deviations it is -inf, where Optuna goes on: there the prior, as wide as the range, outweighs
    any trial.
    """
    # In the left half, where differences are exact.
    is_right = left > 0
    low, high, each = _unique_inverse_2d(
        np.where(is_right, -right, left).ravel(), np.where(is_right, -left, right).ravel()
    )
    mass = np.asarray(_ERFC(-high / math.sqrt(2)) - _ERFC(-low / math.sqrt(2)), dtype=float) / 2
    with np.errstate(divide="ignore"):
        found: Numbers = np.log(mass)[each].reshape(left.shape)
    return found


def _log_scale(distribution: _Continuous) -> Numbers:
    """Return what a bell is divided by: its area within the limits."""
    mu, sigma = distribution.mu, distribution.sigma
    found: Numbers = _log_mass(distribution, mu, sigma) + np.log(sigma) + _LOG_SQRT_2_PI
    return found


def _log_mass(distribution: _Discrete | _Continuous, mu: Numbers, sigma: Numbers) -> Numbers:
    low, high = distribution.adapted_low, distribution.adapted_high
    return _truncnorm._log_gauss_mass((low - mu) / sigma, (high - mu) / sigma)


def _log_sum_exp(logs: Numbers) -> Numbers:
    """Return the logarithm of each row's sum of exponentials; the array is used up."""
    most = logs.max(axis=1)
    most[np.isneginf(most)] = 0.0
    logs -= most[:, np.newaxis]
    with np.errstate(divide="ignore"):
        found: Numbers = np.log(np.exp(logs, out=logs).sum(axis=1)) + most
    return found
