"""The grid: every combination of the parameters' values, each once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tuning_contract.environment import ParameterValue
from tuning_operator.api.parameters import Parameter
from tuning_operator.search.combinations import AxisShape, Combinations
from tuning_operator.search.reverse_log import ReversedRange, reversed_value
from tuning_operator.search.space import Space


class Grid:
    """All points of a space, numbered from 0; the last parameter varies fastest. A point has what a trial there has.

    Optuna's own grid sampler raises at the tell of the last point, and repeats points in parallel and after a restart.
    """

    def __init__(self, space: Space, points: int | None) -> None:
        """`points` is how many values to take of ranges that have no countable or no sensible number of them."""
        self._axes = {
            name: _Axis(space.distributions[name], points, space.reversed.get(name)) for name in space.distributions
        }
        shapes = (self._shape(space, parameter) for parameter in space.parameters if parameter.name in self._axes)
        self._combinations = Combinations(dict(shapes))

    def __len__(self) -> int:
        return self._combinations.size

    def point(self, index: int) -> dict[str, ParameterValue]:
        """Return a point as Optuna stores it."""
        return {name: self._axes[name][place] for name, place in self._combinations.places(index).items()}

    def _shape(self, space: Space, parameter: Parameter) -> tuple[str, AxisShape]:
        size, when = len(self._axes[parameter.name]), parameter.when
        if when is None:
            return parameter.name, AxisShape(size)
        parent = self._axes[when.parameter]
        places = (parent.place(space.stored({when.parameter: value})[when.parameter]) for value in when.in_)
        return parameter.name, AxisShape(
            size, when.parameter, frozenset(place for place in places if place is not None)
        )


class _Axis:
    """The values of one parameter."""

    def __init__(self, distribution: BaseDistribution, points: int | None, backwards: ReversedRange | None) -> None:
        """`backwards` is the logarithmic range that the distribution is the mirror image of, if it is."""
        self._distribution = distribution
        self._spread: Sequence[ParameterValue] | None = None
        if backwards is not None:
            mirrored = _Axis(backwards, points, None)
            self._spread = [reversed_value(backwards, mirrored[len(mirrored) - 1 - i]) for i in range(len(mirrored))]
        elif isinstance(distribution, FloatDistribution) and distribution.step is None:
            self._spread = _floats(distribution, points or 1)
        elif isinstance(distribution, IntDistribution) and distribution.log:
            self._spread = _log_integers(distribution, points or 1)

    def __len__(self) -> int:
        if self._spread is not None:
            return len(self._spread)
        match self._distribution:
            case CategoricalDistribution(choices=choices):
                return len(choices)
            case IntDistribution(low=low, high=high, step=step):
                return (high - low) // step + 1
            case FloatDistribution(low=low, high=high, step=float(width)):
                return int((Decimal(str(high)) - Decimal(str(low))) / Decimal(str(width))) + 1
        raise AssertionError(self._distribution)

    def __getitem__(self, index: int) -> ParameterValue:
        if self._spread is not None:
            return self._spread[index]
        match self._distribution:
            case CategoricalDistribution(choices=choices):
                choice = choices[index]
                assert choice is not None
                return choice
            case IntDistribution(low=low, step=step):
                return low + index * step
            case FloatDistribution(low=low, step=float(width)):
                return float(Decimal(str(low)) + index * Decimal(str(width)))
        raise AssertionError(self._distribution)

    def place(self, value: ParameterValue) -> int | None:
        """Return where a value of a Categorical or Int is; None: a logarithmic range has it not among its points."""
        if self._spread is not None:
            return self._spread.index(value) if value in self._spread else None
        match self._distribution:
            case CategoricalDistribution():
                return int(self._distribution.to_internal_repr(value))
            case IntDistribution(low=low, step=step):
                return (int(value) - low) // step
        raise AssertionError(self._distribution)


def _floats(distribution: FloatDistribution, points: int) -> list[ParameterValue]:
    low, high = distribution.low, distribution.high
    if low == high or points == 1:
        return [low]
    shares = [index / (points - 1) for index in range(points)]
    if distribution.log:
        inner = [math.exp(math.log(low) * (1 - share) + math.log(high) * share) for share in shares]
    else:
        inner = [low * (1 - share) + high * share for share in shares]
    return list(dict.fromkeys([low, *(min(max(value, low), high) for value in inner[1:-1]), high]))


def _log_integers(distribution: IntDistribution, points: int) -> list[ParameterValue]:
    spread = _floats(FloatDistribution(distribution.low, distribution.high, log=True), points)
    return sorted({round(float(value)) for value in spread})
