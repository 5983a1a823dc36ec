"""Losses over a sweep of learning rates, and the rates that they suggest. Standard library only.

A batch's loss is noisy, so the curve is smoothed twice. While the sweep runs, an exponential mean watches for
divergence; it lags behind the losses. The suggestions are read from a mean that runs over the losses forwards and
backwards, whose lags cancel: read from a lagging one, the minimum would seem to be at a larger rate than it is.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

WINDOW = 1 / 17
"""Over which share of the sweep the curve that suggestions are read from is smoothed, each way; at least one step."""

FEWEST_POINTS = 8
"""A curve of which fewer points are left, without those at its ends, suggests nothing."""

SIGNIFICANT = 6.0
"""How many standard deviations of the smoothed curve a loss must fall by; noise alone hardly ever does so."""


@dataclass(frozen=True)
class LRPoint:
    """What one step of the sweep showed."""

    learning_rate: float
    """The rate of the optimiser's step."""
    loss: float
    """The loss of the step's own batch before the step, or of the validation data after it; finite."""
    smoothed: float
    """The running mean of the losses so far, which the rule of divergence watches."""


@dataclass(frozen=True)
class LRSuggestions:
    """Learning rates that a curve suggests."""

    steepest: float
    """Where the loss falls fastest over the logarithm of the rate."""
    valley: float
    """The middle of the longest descent to the minimum (fastai's rule): a good choice without a look at the curve."""
    minimum: float
    """A tenth of the rate with the smallest loss: close to it, the training would diverge before long."""
    range_min: float
    """For cyclical rates: from here on the loss falls."""
    range_max: float
    """For cyclical rates: from here on it hardly falls any more."""


@dataclass(frozen=True)
class LRCurve:
    """The result of a range test: rates in rising order with their losses."""

    points: tuple[LRPoint, ...]
    diverged: bool
    """Whether the sweep was ended early, because the loss grew too large or was no number any more."""

    def suggestions(self) -> LRSuggestions | None:
        """Return the rates that the curve suggests; None: none, for the reason that `why_no_suggestion` gives."""
        if self.why_no_suggestion() is not None:
            return None
        rates, _, losses = self._judged()
        lowest = losses.index(min(losses))
        minimum = rates[lowest] / 10
        falling = losses[: lowest + 1]
        return LRSuggestions(
            steepest=rates[steepest_descent(rates[: lowest + 1], falling)],
            valley=rates[valley(falling)],
            minimum=minimum,
            range_min=rates[_fallen_by(0.1, losses)],
            range_max=max(rates[_fallen_by(0.9, losses)], minimum),
        )

    def why_no_suggestion(self) -> str | None:
        """Return why the curve suggests nothing, and what to do, in a sentence; None: it does suggest something."""
        rates, raw, losses = self._judged()
        if len(losses) < FEWEST_POINTS:
            early = f"it diverged after {len(self.points)} steps: begin at a lower rate" if self.diverged else ""
            return f"the sweep has too few steps to judge it; {early or 'take more steps'}"
        noise = SIGNIFICANT * _noise(raw) / math.sqrt(_window(raw))
        if losses[0] - min(losses) <= max(noise, 1e-3 * abs(losses[0])):
            return (
                f"the loss does not fall anywhere from {rates[0]:.3g} to {rates[-1]:.3g} by more than its noise: sweep "
                "other rates, with more steps or larger batches, or see whether the model can learn at all"
            )
        return None

    def _judged(self) -> tuple[list[float], list[float], list[float]]:
        """Return the rates, losses and smoothed losses that count: without the ends of the sweep.

        Left out are the first tenth, where nothing is learned yet, and the last twentieth if the loss blew up there.
        """
        points = self.points[: len(self.points) - self.diverged * math.ceil(len(self.points) / 20)]
        first = len(points) // 10
        rates = [point.learning_rate for point in points]
        losses = [point.loss for point in points]
        window = _window(losses)
        return rates[first:], losses[first:], without_lag(losses, (window - 1) / (window + 1))[first:]


class RunningMean:
    """An exponential mean, `beta` the weight of the past, corrected for its beginning at 0 as Adam's are."""

    def __init__(self, beta: float) -> None:
        self._beta = beta
        self._sum = 0.0
        self._weight = 0.0

    def add(self, value: float) -> float:
        """Return the mean with one more value."""
        self._sum = self._beta * self._sum + (1 - self._beta) * value
        self._weight = self._beta * self._weight + (1 - self._beta)
        return self._sum / self._weight


def smoothed(values: Iterable[float], beta: float) -> list[float]:
    """Return the running mean at each value."""
    return list(map(RunningMean(beta).add, values))


def without_lag(values: Sequence[float], beta: float) -> list[float]:
    """Return the values smoothed forwards and then backwards, so that a minimum remains where it is."""
    return smoothed(smoothed(values, beta)[::-1], beta)[::-1]


def steepest_descent(rates: Sequence[float], losses: Sequence[float]) -> int:
    """Return where the derivative of the loss by the logarithm of the rate is smallest, whatever the rates' spacing."""
    slopes = gradient([math.log(rate) for rate in rates], losses)
    return slopes.index(min(slopes))


def gradient(places: Sequence[float], values: Sequence[float]) -> list[float]:
    """Return derivatives to second order at unevenly spaced places, at both ends to first order (as numpy.gradient).

    Of a single value the derivative is 0.
    """
    if len(values) < 2:
        return [0.0] * len(values)
    slopes = [(b - a) / (y - x) for a, b, x, y in zip(values, values[1:], places, places[1:], strict=False)]
    inner = []
    for before, after, x, y, z in zip(slopes, slopes[1:], places, places[1:], places[2:], strict=False):
        inner.append((before * (z - y) + after * (y - x)) / (z - x))
    return [slopes[0], *inner, slopes[-1]]


def valley(losses: Sequence[float]) -> int:
    """Return the middle of the second third of the longest descent, as fastai's `valley` does.

    The descent is the longest strictly decreasing subsequence, the one that ends first; it is taken to begin its own
    length before its end, although it may have left out values between.
    """
    lengths = descents(losses)
    length = max(lengths)
    start = lengths.index(length) - length
    return max(0, start + int(length / 3) + int(length / 6))


def descents(losses: Sequence[float]) -> list[int]:
    """Return for each value the length of the longest strictly decreasing subsequence that ends with it."""
    smallest_ends: list[float] = []
    """Of the subsequences of each length, the last value (negated) that is easiest to go on from."""
    lengths = []
    for loss in losses:
        place = bisect_left(smallest_ends, -loss)
        smallest_ends[place : place + 1] = [-loss]
        lengths.append(place + 1)
    return lengths


def _fallen_by(share: float, losses: Sequence[float]) -> int:
    """Return from where to its minimum the loss stays below its start by a share of the whole fall."""
    lowest = losses.index(min(losses))
    level = losses[0] - share * (losses[0] - losses[lowest])
    above = [place for place in range(lowest) if losses[place] > level]
    return above[-1] + 1 if above else 0


def _window(losses: Sequence[float]) -> float:
    return max(1.0, len(losses) * WINDOW)


def _noise(losses: Sequence[float]) -> float:
    """Return the standard deviation of the losses around a smooth curve, from how far each is off its neighbours' mean.

    The difference has 1.5 times the variance, and its median is 1 / 1.4826 standard deviations; outliers do not matter.
    """
    off = [abs(own - (before + after) / 2) for before, own, after in zip(losses, losses[1:], losses[2:], strict=False)]
    return 1.4826 * median(off) / math.sqrt(1.5)
