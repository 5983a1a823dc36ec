"""The search space: parameters of a study <-> Optuna's distributions and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuning_contract.environment import ParameterValue
from tuning_operator.api.parameters import Parameter, ParameterType, Scale
from tuning_operator.api.when import identity
from tuning_operator.search.reverse_log import ordinary, reversed_value


class Space:
    """A study's parameters, with Fixed ones, which Optuna does not see."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = tuple(parameters)
        self.distributions: dict[str, BaseDistribution] = {
            parameter.name: distribution(parameter)
            for parameter in parameters
            if parameter.type is not ParameterType.FIXED
        }
        """What trials are stored with."""
        self.reversed = {
            parameter.name: ordinary(stored, log=True)
            for parameter in parameters
            if parameter.scale is Scale.REVERSE_LOG
            and isinstance(stored := self.distributions[parameter.name], FloatDistribution | IntDistribution)
        }
        """What samplers see instead of it, where the scale is reverse."""
        self.sampled: dict[str, BaseDistribution] = {**self.distributions, **self.reversed}
        """What samplers draw from."""

    def undeclared(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of a trial's parameters that are not the study's: its code has named them."""
        if len(stored) <= len(self.distributions) and stored.keys() <= self.distributions.keys():
            return {}
        return {name: value for name, value in stored.items() if name not in self.distributions}

    def typed(self, stored: Mapping[str, CategoricalChoiceType]) -> dict[str, ParameterValue]:
        """Return a trial's parameters as its trainer gets them, in the order of the study, from Optuna's."""
        values: dict[str, ParameterValue] = {}
        for parameter in self.parameters:
            if parameter.when is None or parameter.when.holds(values):  # thousands of trials are read at once
                values[parameter.name] = self.value_of(parameter, stored)
        return values

    def is_whole(self, stored: Mapping[str, Any]) -> bool:
        """Return whether some values are all that a trial with them has, as Optuna stores it."""
        try:
            self.typed(stored)
        except KeyError:
            return False
        return True

    def choose(self, suggest: Callable[[str, BaseDistribution], Any]) -> dict[str, Any]:
        """Return a trial's parameters as Optuna stores them, each that the trial has as `suggest` draws it.

        `suggest` gets a name and what samplers draw from, parents before what depends on them.
        """
        chosen: dict[str, Any] = {}
        values: dict[str, ParameterValue] = {}
        for parameter in self.parameters:
            if not parameter.is_active(values):
                continue
            if parameter.name in self.sampled:
                value = suggest(parameter.name, self.sampled[parameter.name])
                backwards = self.reversed.get(parameter.name)
                chosen[parameter.name] = value if backwards is None else reversed_value(backwards, value)
            values[parameter.name] = self.value_of(parameter, chosen)
        return chosen

    def stored(self, given: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """Return given parameters as Optuna has them; those that are not the study's its code may name."""
        declared = {
            parameter.name: stored_values(parameter, [given[parameter.name]])[0]
            for parameter in self.parameters
            if parameter.name in given and parameter.name in self.distributions
        }
        names = {parameter.name for parameter in self.parameters}
        return {**declared, **{name: value for name, value in given.items() if name not in names}}

    @staticmethod
    def value_of(parameter: Parameter, stored: Mapping[str, CategoricalChoiceType]) -> ParameterValue:
        """Return one parameter as the trainer gets it, from Optuna's."""
        if parameter.type is ParameterType.FIXED:
            assert parameter.value is not None
            return parameter.value
        value = stored[parameter.name]
        assert value is not None
        if _is_ambiguous(parameter):
            return next(choice for choice in parameter.choices or () if _choice_text(choice) == value)
        if parameter.type is ParameterType.FLOAT:
            assert parameter.low is not None
            return rounded(float(value), parameter.low, parameter.step)
        return value


def stored_values(parameter: Parameter, values: Sequence[ParameterValue]) -> Sequence[ParameterValue]:
    """Return values of a parameter as Optuna has them: with a step, on its very grid."""
    if parameter.type is ParameterType.FLOAT and parameter.step is not None:
        assert parameter.low is not None
        return [rounded(float(value), parameter.low, parameter.step) for value in values]
    if not _is_ambiguous(parameter):
        return values
    texts = {identity(choice): _choice_text(choice) for choice in parameter.choices or ()}
    return [texts.get(identity(value), value) for value in values]


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return what Optuna stores of a parameter. A `high` beside the grid of `step` is lowered to it."""
    if parameter.type is ParameterType.CATEGORICAL:
        choices = parameter.choices or ()
        return CategoricalDistribution([_choice_text(c) for c in choices] if _is_ambiguous(parameter) else choices)
    assert parameter.low is not None
    assert parameter.high is not None
    log = parameter.scale is Scale.LOG
    if parameter.type is ParameterType.INT:
        low, step = int(parameter.low), int(parameter.step or 1)
        return IntDistribution(low, low + (int(parameter.high) - low) // step * step, log=log, step=step)
    low_float, high_float = float(parameter.low), float(parameter.high)
    if parameter.step is None:
        return FloatDistribution(low_float, high_float, log=log)
    decimal_low, decimal_step = Decimal(str(low_float)), Decimal(str(float(parameter.step)))
    high = decimal_low + (Decimal(str(high_float)) - decimal_low) // decimal_step * decimal_step
    return FloatDistribution(low_float, float(high), step=float(parameter.step))


def rounded(value: float, low: float, step: float | None) -> float:
    """Return a stepped value without the dust of binary fractions: 0.15 instead of 0.15000000000000002."""
    if step is None:
        return value
    decimal_low, decimal_step = Decimal(str(low)), Decimal(str(step))
    return float(decimal_low + round((Decimal(value) - decimal_low) / decimal_step) * decimal_step)


def _is_ambiguous(parameter: Parameter) -> bool:
    """Whether choices differ in JSON but not in Python, as 1 and true do; Optuna then gets them as texts."""
    return parameter.choices is not None and len(set(parameter.choices)) < len(parameter.choices)


def _choice_text(choice: ParameterValue) -> str:
    return json.dumps(choice)
