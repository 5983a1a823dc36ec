"""The grid: every combination of the parameters' values, each once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tuning_contract.environment import ParameterValue
from tuning_operator.api.parameters import Parameter, rounding
from tuning_operator.api.when import When
from tuning_operator.errors import InvalidStudy
from tuning_operator.search.combinations import AxisShape, Combinations
from tuning_operator.search.reverse_log import ReversedRange, reversed_value
from tuning_operator.search.space import Space, stored_values


class Grid:
    """All points of a space, numbered from 0; the last parameter varies fastest. A point has what a trial there has."""

    def __init__(self, space: Space, points: int | None = None) -> None:
        """`points` is how many values to take of each continuous range, and of each logarithmic one.

        Without it the latter have all their whole numbers, and the former one value: see `endless`.

        Raises
        ------
        InvalidStudy
            With so few values, no point has a certain parameter.
        """
        self._axes = {
            name: _Axis(space.distributions[name], points, space.reversed.get(name)) for name in space.distributions
        }
        by_name = {parameter.name: parameter for parameter in space.parameters}
        self._combinations = Combinations({name: self._shape(by_name, name) for name in by_name if name in self._axes})
        for parameter in space.parameters:
            if parameter.when is not None and not self._places(by_name, parameter.when):
                raise _never_searched(parameter.name, parameter.when)

    @property
    def size(self) -> int:
        """How many points there are; often more than a `len()` may be."""
        return self._combinations.size

    def point(self, index: int) -> dict[str, ParameterValue]:
        """Return a point as Optuna stores it."""
        return {name: self._axes[name][place] for name, place in self._combinations.places(index).items()}

    def differing(self, point: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
        """Return the names of given values that a point of the grid does not have, up to rounding."""
        places = ((name, self._axes[name].place) for name in given)
        return [name for name, place in places if name not in point or place(given[name]) != place(point[name])]

    def has_part(self, given: Mapping[str, Any]) -> bool:
        """Return whether the grid has all of some values."""
        return all(self._axes[name].place(value) is not None for name, value in given.items())

    def after(self, index: int, names: Collection[str]) -> int:
        """Return the first point behind another one that may have other values of these parameters."""
        return self._combinations.after(index, names)

    def _shape(self, parameters: Mapping[str, Parameter], name: str) -> AxisShape:
        size, when = self._axes[name].size, parameters[name].when
        if when is None:
            return AxisShape(size)
        return AxisShape(size, when.parameter, self._places(parameters, when))

    def _places(self, parameters: Mapping[str, Parameter], when: When) -> frozenset[int]:
        """Return the places of a parent at which a condition holds."""
        parent = self._axes[when.parameter]
        places = (parent.place(value) for value in stored_values(parameters[when.parameter], when.in_))
        return frozenset(place for place in places if place is not None)

    def index(self, point: Mapping[str, Any]) -> int | None:
        """Return the number of a point, as Optuna stores it; None: it lies beside the grid."""
        places: dict[str, int] = {}
        for name, value in point.items():
            place = self._axes[name].place(value)
            if place is None:
                return None
            places[name] = place
        return self._combinations.index(places)

    def identity(self, point: Mapping[str, Any]) -> Hashable:
        """Return what a point that lies beside the grid has in common with no other one."""
        places = ((name, value, self._axes[name].place(value)) for name, value in point.items())
        return frozenset((name, place, value if place is None else None) for name, value, place in places)


def _never_searched(name: str, when: When) -> InvalidStudy:
    problem = (
        f"`search.sampler`: Grid never tries `{name}`, for none of the few values of `{when.parameter}` that it takes "
        f"is in the `when` of `{name}`; raise the option `points`, or change the `when` or the range"
    )
    return InvalidStudy([problem])


def endless(space: Space) -> frozenset[str]:
    """Return the parameters that have more values than a grid; none: the space has a grid of all its points."""
    return frozenset(name for name, distribution in space.distributions.items() if _is_continuous(distribution))


def _is_continuous(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, FloatDistribution) and distribution.step is None and not distribution.single()


class _Axis:
    """The values of one parameter."""

    def __init__(self, distribution: BaseDistribution, points: int | None, backwards: ReversedRange | None) -> None:
        """`backwards` is the logarithmic range that the distribution is the mirror image of, if it is."""
        self.size: int
        self._low: Decimal
        self._step: Decimal
        self._rounding = 0.0
        """How far a value that is counted in steps may lie beside its place."""
        self._whole = isinstance(distribution, IntDistribution)
        self._places: dict[ParameterValue, int] | None = None
        """Where the values are, of those that are listed; the others are counted from `low` in steps."""
        self._rounded: Callable[[float], float] | None = None
        """Takes the dust off listed floats."""
        self._values: Sequence[ParameterValue] = ()
        match distribution:
            case FloatDistribution() | IntDistribution() if backwards is not None and (points or not self._whole):
                ahead = _Axis(backwards, points, None)
                values = [reversed_value(backwards, ahead[place]) for place in reversed(range(ahead.size))]
                if isinstance(backwards, FloatDistribution):
                    self._rounded = partial(_rounded, largest=backwards.high)
                    values = _tidy(values, self._rounded)
                self._list(values)
            case CategoricalDistribution(choices=choices):
                self._list([choice for choice in choices if choice is not None])
            case FloatDistribution(step=None):
                largest = None if distribution.log else max(abs(distribution.low), abs(distribution.high))
                self._rounded = partial(_rounded, largest=largest)
                self._list(_tidy(_floats(distribution, points or 1), self._rounded))
            case IntDistribution(log=True) if points is not None:
                self._list(_log_integers(distribution, points))
            case IntDistribution(low=low, high=high, step=step) | FloatDistribution(low=low, high=high, step=step):
                self._low, self._step = Decimal(str(low)), Decimal(str(step))
                self.size = round((Decimal(str(high)) - self._low) / self._step) + 1
                if not self._whole:
                    self._rounding = rounding(low, high, float(self._step))

    def _list(self, values: Sequence[ParameterValue]) -> None:
        self._values, self.size = values, len(values)
        self._places = {value: place for place, value in enumerate(values)}

    def __getitem__(self, place: int) -> ParameterValue:
        if self._places is not None:
            return self._values[place]
        return self._counted(place)

    def _counted(self, place: int) -> int | float:
        value = self._low + place * self._step
        return int(value) if self._whole else float(value)

    def place(self, value: Any) -> int | None:
        """Return where a value is; a number up to rounding, as it may have been enqueued."""
        if self._places is not None:
            place = self._places.get(value)
            return self._places.get(self._rounded(value)) if place is None and self._rounded is not None else place
        place = round((Decimal(value) - self._low) / self._step)
        is_there = 0 <= place < self.size and abs(self._counted(place) - value) <= self._rounding
        return place if is_there else None


def _rounded(value: float, largest: float | None) -> float:
    """Return a number with 15 significant digits, counted from those of `largest`, None: its own."""
    size = abs(value) if largest is None else largest
    return value if size == 0 else round(value, 14 - math.floor(math.log10(size)))


def _tidy(values: Sequence[float], rounded: Callable[[float], float]) -> list[ParameterValue]:
    """Return ascending values without the dust of floats, as 0.001 for 0.0010000000000000002; the ends as they are."""
    low, high = values[0], values[-1]
    return list(dict.fromkeys([low, *(min(max(rounded(value), low), high) for value in values[1:-1]), high]))


def _floats(distribution: FloatDistribution, points: int) -> list[float]:
    low, high = distribution.low, distribution.high
    if low == high or points == 1:
        return [low]
    shares = [index / (points - 1) for index in range(points)]
    if distribution.log:
        inner = [math.exp(math.log(low) * (1 - share) + math.log(high) * share) for share in shares]
    else:
        inner = [low * (1 - share) + high * share for share in shares]
    return [low, *inner[1:-1], high]


def _log_integers(distribution: IntDistribution, points: int) -> list[ParameterValue]:
    spread = _floats(FloatDistribution(distribution.low, distribution.high, log=True), points)
    return sorted({round(value) for value in spread})
