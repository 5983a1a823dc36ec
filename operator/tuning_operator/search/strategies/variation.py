"""Changing parameters of a trial for the next one, within the search space."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler

from tuning_contract.environment import ParameterValue, parameter_text
from tuning_operator.api.parameters import Parameter
from tuning_operator.api.when import identity
from tuning_operator.search.feasible_points import RandomPoints
from tuning_operator.search.reverse_log import reversed_value
from tuning_operator.search.space import Space, rounded
from tuning_operator.search.strategies.strategy import Stored

Variant = TypeVar("Variant")

_DRAWS = 100
"""How often a value is drawn that must be another one: of two equally likely ones, that fails less than ever."""
_FACTORS = (0.8, 1.2)
"""By which numbers are perturbed, as in the paper on population-based training (Jaderberg et al., 2017)."""


_VARIANTS = 100
"""How often a variant is drawn that should be another one than there are."""


def first_new(draw: Callable[[], Variant], is_new: Callable[[Variant], bool]) -> Variant:
    """Return the first of what is drawn that is new; where a space has too few values for one, the last that is not."""
    variant = draw()
    for _ in range(_VARIANTS):
        if is_new(variant):
            break
        variant = draw()
    return variant


class Variation:
    """Changes parameters, all values as Optuna stores them; how, follows from the random numbers that are given."""

    def __init__(self, space: Space, names: Collection[str] | None = None) -> None:
        """`names` are the parameters that may change; None: all."""
        self._space = space
        self._names = [
            name
            for name, distribution in space.distributions.items()
            if not distribution.single() and (names is None or name in names)
        ]

    def changeable(self, parameters: Stored) -> list[str]:
        """Return which parameters of a trial may change, in the order of the study."""
        return [name for name in self._names if name in parameters]

    def redrawn(self, name: str, value: ParameterValue, random: np.random.Generator) -> ParameterValue:
        """Return another value of a parameter, as likely as in a new configuration."""
        sampler = RandomSampler(seed=int(random.integers(2**32)))
        for _ in range(_DRAWS):
            drawn: ParameterValue = self._drawn(name, sampler)
            if drawn != value:
                return drawn
        return value

    def perturbed(self, name: str, value: ParameterValue, random: np.random.Generator) -> ParameterValue:
        """Return a number times 0.8 or 1.2, on its steps and within its bounds; anything else stays."""
        distribution = self._space.distributions[name]
        if isinstance(distribution, CategoricalDistribution) or isinstance(value, str):
            return value
        factor = _FACTORS[random.integers(2)]
        backwards = self._space.reversed.get(name)
        if backwards is not None:  # it is dense near its high end, and so are the changes
            return _fitted(distribution, value, reversed_value(backwards, reversed_value(backwards, value) * factor))
        return _fitted(distribution, value, value * factor)

    def stepped(self, name: str, value: ParameterValue, most: int, random: np.random.Generator) -> ParameterValue:
        """Return another value of a parameter: of an Int one at most so many steps away, of a Float a perturbed one."""
        distribution = self._space.distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            return self.redrawn(name, value, random)
        if isinstance(distribution, FloatDistribution):
            changed = self.perturbed(name, value, random)
            return self.redrawn(name, value, random) if changed == value else changed
        assert isinstance(distribution, IntDistribution)
        assert isinstance(value, int)
        down = min(most, (value - distribution.low) // distribution.step)
        up = min(most, (distribution.high - value) // distribution.step)
        steps = int(random.integers(down + up))  # as many as there are others: 0 is the lowest of them
        return value + distribution.step * (steps - down + (steps >= down))

    def fitting(self, parameters: Stored) -> dict[str, ParameterValue]:
        """Return the parameters that a trial with these values has; what else it needs is to be drawn."""
        values: dict[str, ParameterValue] = {}
        for parameter in self._space.parameters:
            if self._is_there(parameter, parameters) and parameter.is_active(values):
                values[parameter.name] = self._space.value_of(parameter, parameters)
        return {name: parameters[name] for name in values if name in parameters}

    def completed(self, parameters: Stored, random: np.random.Generator) -> dict[str, ParameterValue]:
        """Return all parameters of a trial with these values, as far as it has them; what else it needs is random."""
        return RandomPoints(self._space, int(random.integers(2**32))).point(parameters)

    def changes(self, before: Stored, after: Stored) -> str:
        """Return how parameters differ, as a sentence for people."""
        old, new = self._typed(before), self._typed(after)
        changed = [
            f"{name} was changed from {parameter_text(old[name])} to {parameter_text(new[name])}"
            for name in old
            if name in new and identity(new[name]) != identity(old[name])
        ]
        return ", ".join(changed) or "nothing has changed"

    def _typed(self, parameters: Stored) -> dict[str, ParameterValue]:
        """Return parameters as users see them, Fixed ones too, as far as they are there."""
        return {
            parameter.name: self._space.value_of(parameter, parameters)
            for parameter in self._space.parameters
            if self._is_there(parameter, parameters)
        }

    def _is_there(self, parameter: Parameter, parameters: Stored) -> bool:
        return parameter.name in parameters or parameter.name not in self._space.distributions

    def _drawn(self, name: str, sampler: RandomSampler) -> Any:
        # A random sampler looks at no study and no trial.
        drawn = sampler.sample_independent(None, None, name, self._space.sampled[name])  # type: ignore[arg-type]
        backwards = self._space.reversed.get(name)
        return drawn if backwards is None else reversed_value(backwards, drawn)


def _fitted(distribution: BaseDistribution, before: float, after: float) -> ParameterValue:
    """Return a number within its range; a whole or stepped one moves by a step at least, where it can."""
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    bounded = min(max(after, distribution.low), distribution.high)
    if distribution.step is None:
        return float(bounded)
    step, low = distribution.step, distribution.low
    steps, place = round((bounded - low) / step), round((before - low) / step)
    if steps == place and after != before:
        last = round((distribution.high - low) / step)
        steps = min(max(place + (1 if after > before else -1), 0), last)
    fitted = low + steps * step
    return int(fitted) if isinstance(distribution, IntDistribution) else rounded(float(fitted), low, step)
