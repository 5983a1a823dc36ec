"""One parameter of the search space."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import ConfigDict, Field, Strict, model_validator

from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.scalars import Number, PositiveNumber, Scalar
from tuning_operator.api.sentences import shown
from tuning_operator.api.when import ParameterName, When, identity

__all__ = ["Parameter", "ParameterName", "ParameterType", "Scalar", "Scale"]


class ParameterType(StrEnum):
    """What kind of values a parameter takes."""

    FLOAT = "Float"
    INT = "Int"
    CATEGORICAL = "Categorical"
    FIXED = "Fixed"


class Scale(StrEnum):
    """How values spread over a range."""

    LINEAR = "Linear"
    LOG = "Log"
    REVERSE_LOG = "ReverseLog"

    @property
    def is_logarithmic(self) -> bool:
        """Whether it is Log or its mirror image."""
        return self is not Scale.LINEAR


_FIELDS = {
    ParameterType.FLOAT: {"low", "high", "step", "scale"},
    ParameterType.INT: {"low", "high", "step", "scale"},
    ParameterType.CATEGORICAL: {"choices"},
    ParameterType.FIXED: {"value"},
}
_REQUIRED = {
    ParameterType.FLOAT: ("low", "high"),
    ParameterType.INT: ("low", "high"),
    ParameterType.CATEGORICAL: ("choices",),
    ParameterType.FIXED: ("value",),
}


_INEXACT = 2**53
"""Whole numbers below this are exact as floats, which Optuna stores and the API server compares."""

_ROUNDING_ULPS = 8
"""What a few sums and products of floats may be off by."""
_SMALLEST_STEP = 2.0**-47
"""Of the largest number of a range, some 32 to 64 ulps: with a smaller step, neighbours can't be told apart."""

_RULES = [
    cel(
        "!(self.type in ['Float', 'Int']) || (has(self.low) && has(self.high))", "a Float or Int needs `low` and `high`"
    ),
    cel(
        "self.type in ['Float', 'Int'] || !(has(self.low) || has(self.high) || has(self.step) || has(self.scale))",
        "`low`, `high`, `step` and `scale` belong to a Float or Int; remove them or change `type`",
    ),
    cel("!has(self.low) || !has(self.high) || self.low <= self.high", "`low` is above `high`; swap them"),
    cel(
        "!has(self.scale) || self.scale == 'Linear' || !has(self.low) || self.low > 0.0",
        "the logarithm of zero and below does not exist; raise `low` or remove the Log or ReverseLog `scale`",
        ".low",
    ),
    cel(
        "!has(self.scale) || self.scale == 'Linear' || !has(self.step)",
        "`step` and a Log or ReverseLog `scale` exclude each other; remove one",
    ),
    cel(
        "self.type != 'Float' || !has(self.step) || !has(self.low) || !has(self.high) || ("
        + " && ".join(
            f"self.step >= {sign}self.{name} * {_SMALLEST_STEP!r}" for name in ("low", "high") for sign in ("", "-")
        )
        + ")",
        "`step` is too small for floating-point numbers as large as `low` or `high`; raise it or remove it",
        ".step",
    ),
    *(
        cel(
            f"self.type != 'Int' || !has(self.{name}) || (self.{name} > -{_INEXACT}.0 && "
            f"self.{name} < {_INEXACT}.0 && self.{name} == double(int(self.{name})))",
            f"`{name}` of an Int must be a whole number below 2^53; round it or write `type: Float`",
            f".{name}",
        )
        for name in ("low", "high", "step")
    ),
]
"""What the API server enforces of the validators below. It can't see `choices` and `value`, which have no type."""

_KINDS = {
    ParameterType.FLOAT: "the values of a Float are numbers",
    ParameterType.INT: "the values of an Int are whole numbers",
    ParameterType.CATEGORICAL: "none of the `choices` has its type",
    ParameterType.FIXED: "`value` has another type",
}


class Parameter(ResourceModel):
    """One dimension of the search space. It reaches the training container as `PARAM_<name>`."""

    model_config = ConfigDict(json_schema_extra={CEL_RULES: [*_RULES]})

    name: ParameterName
    """A C identifier of at most 63 characters."""
    type: Annotated[ParameterType, Strict(False)]
    """Float and Int search a range (low, high), Categorical a list of choices; Fixed passes one value on."""
    low: Number | None = None
    """Smallest value of a Float or Int, included."""
    high: Number | None = None
    """Largest value of a Float or Int, included."""
    step: PositiveNumber | None = None
    """Distance between the values of a Float or Int; without it a Float is continuous and an Int steps by 1."""
    scale: Annotated[Scale, Strict(False)] | None = None
    """Linear (default), Log (equal ratios are equally likely: dense near `low`) or ReverseLog (dense near `high`)."""
    choices: Annotated[list[Scalar], Field(min_length=1, max_length=1000)] | None = None
    """What a Categorical chooses from: strings, numbers or booleans."""
    value: Scalar | None = None
    """The value of a Fixed parameter."""
    when: When | None = None
    """Makes it conditional: only trials with certain values of another parameter have it."""

    @model_validator(mode="after")
    def _fields_belong_to_the_type(self) -> Parameter:
        given = [
            name for name in ("low", "high", "step", "scale", "choices", "value") if getattr(self, name) is not None
        ]
        for name in _REQUIRED[self.type]:
            if name not in given:
                raise ValueError(f"`type: {self.type.value}` needs `{name}`")
        for name in given:
            if name not in _FIELDS[self.type]:
                raise ValueError(f"`{name}` does not belong to `type: {self.type.value}`; remove one of them")
        return self

    @model_validator(mode="after")
    def _range_is_sound(self) -> Parameter:
        if self.low is None or self.high is None:
            return self
        if self.low > self.high:
            raise ValueError(f"`low` ({self.low!r}) is above `high` ({self.high!r}); swap them")
        if self.scale is not None and self.scale.is_logarithmic:
            self._logarithms_exist(self.low, self.scale)
        if self.type is ParameterType.INT:
            self._numbers_are_whole()
        elif self.step is not None:
            self._floats_are_fine_enough(max(abs(self.low), abs(self.high)), self.step)
        return self

    @staticmethod
    def _floats_are_fine_enough(largest: float, step: float) -> None:
        smallest = _SMALLEST_STEP * largest
        if step < smallest:
            raise ValueError(
                f"`step` ({step!r}) is too small for floating-point numbers as large as {largest!r}, which would "
                f"differ by nothing else than rounding; raise it to {smallest:.1g} at least, or remove it"
            )

    def _logarithms_exist(self, low: int | float, scale: Scale) -> None:
        if low <= 0:
            raise ValueError(
                f"`low` is {low!r}, but the logarithm of zero and below does not exist; "
                f"raise `low` or remove `scale: {scale.value}`"
            )
        if self.step is not None:
            raise ValueError(f"`step` and `scale: {scale.value}` exclude each other; remove one")

    def _numbers_are_whole(self) -> None:
        for name in ("low", "high", "step"):
            number = getattr(self, name)
            if number is not None and not (isinstance(number, int) and abs(number) < _INEXACT):
                raise ValueError(
                    f"`{name}` of an Int must be a whole number below 2^53 (given: {number!r}); "
                    "round it or write `type: Float`"
                )

    @model_validator(mode="after")
    def _choices_differ(self) -> Parameter:
        seen: set[tuple[bool, Any]] = set()
        for choice in self.choices or ():
            if identity(choice) in seen:
                raise ValueError(f"the choice {shown(choice)} stands twice in `choices`; remove one")
            seen.add(identity(choice))
        return self

    @cached_property
    def _identities(self) -> frozenset[tuple[bool, Any]]:
        return frozenset(identity(choice) for choice in self.choices or ())

    @property
    def is_continuous(self) -> bool:
        """Whether it takes more values than can be counted."""
        return self.type is ParameterType.FLOAT and self.step is None and self.low != self.high

    @model_validator(mode="after")
    def _otherwise_has_its_type(self) -> Parameter:
        otherwise = None if self.when is None else self.when.otherwise
        if otherwise is not None and not self._is_of_its_kind(otherwise):
            raise ValueError(
                f"`when.otherwise` is {shown(otherwise)}, but {_KINDS[self.type]}; correct it or remove it"
            )
        return self

    def _is_of_its_kind(self, value: Scalar) -> bool:
        if self.type is ParameterType.INT:
            return type(value) is int
        if self.type is ParameterType.FLOAT:
            return type(value) in (int, float)
        known = [self.value] if self.type is ParameterType.FIXED else self.choices or []
        return _kind(value) in {_kind(each) for each in known}

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Return whether a trial has the parameter, by the values of those before it that the trial has."""
        return self.when is None or self.when.holds(values)

    @property
    def otherwise(self) -> Scalar | None:
        """What `PARAM_<name>` is in trials that do not have the parameter, None: they have no such variable."""
        value = None if self.when is None else self.when.otherwise
        return value if value is None or self.type is not ParameterType.FLOAT else float(value)

    def contains(self, value: Any) -> bool:
        """Return whether a value is one that this parameter can take; on a step's grid up to rounding."""
        if self.type is ParameterType.CATEGORICAL:
            return isinstance(value, Hashable) and identity(value) in self._identities
        if self.type is ParameterType.FIXED:
            return identity(value) == identity(self.value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        assert self.low is not None
        assert self.high is not None
        dust = 0.0
        if self.type is ParameterType.FLOAT and self.step is not None:
            dust = rounding(self.low, self.high, self.step)
        if not self.low - dust <= value <= self.high + dust:
            return False
        if self.type is ParameterType.INT:
            return float(value).is_integer() and (int(value) - int(self.low)) % int(self.step or 1) == 0
        if self.step is None:
            return True
        nearest = self.low + round((value - self.low) / self.step) * self.step
        return abs(value - nearest) <= dust


def rounding(low: float, high: float, step: float) -> float:
    """Return how far a value of a Float with a step may lie beside it: what floats make of the sum of many steps."""
    return max(1e-8 * step, _ROUNDING_ULPS * math.ulp(max(abs(low), abs(high))))


def _kind(value: Any) -> type:
    """JSON's: whole numbers are numbers too."""
    return float if type(value) is int else type(value)
