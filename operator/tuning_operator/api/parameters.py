"""One parameter of the search space."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tuning_operator.api.model import ResourceModel

ParameterName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""A C identifier, for it becomes the environment variable `PARAM_<name>`."""


def _whole_numbers_as_ints(value: Any) -> Any:
    """Kubernetes stores 1.0 as 1: do the same locally, so that both ways give the trainer the same type."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


Scalar = Annotated[
    bool | int | float | Annotated[str, StringConstraints(max_length=256)], AfterValidator(_whole_numbers_as_ints)
]
"""A value of a parameter: JSON's string, number or boolean."""


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


class Parameter(ResourceModel):
    """One dimension of the search space. It reaches the training container as `PARAM_<name>`."""

    name: ParameterName
    """A C identifier of at most 63 characters."""
    type: ParameterType
    """Float and Int search a range (low, high), Categorical a list of choices; Fixed passes one value on."""
    low: float | None = None
    """Smallest value of a Float or Int, included."""
    high: float | None = None
    """Largest value of a Float or Int, included."""
    step: Annotated[float, Field(gt=0)] | None = None
    """Distance between the values of a Float or Int; without it a Float is continuous and an Int steps by 1."""
    scale: Scale | None = None
    """Linear (default) or Log: equal ratios are equally likely; for ranges over several orders of magnitude."""
    choices: Annotated[list[Scalar], Field(min_length=1, max_length=1000)] | None = None
    """What a Categorical chooses from: strings, numbers or booleans."""
    value: Scalar | None = None
    """The value of a Fixed parameter."""

    @model_validator(mode="after")
    def _fields_belong_to_the_type(self) -> Parameter:
        given = {
            name for name in ("low", "high", "step", "scale", "choices", "value") if getattr(self, name) is not None
        }
        for name in _REQUIRED[self.type]:
            if name not in given:
                raise ValueError(f"a {self.type.value} needs `{name}`")
        surplus = sorted(given - _FIELDS[self.type])
        if surplus:
            raise ValueError(f"`{surplus[0]}` does not belong to a {self.type.value}; remove it or change `type`")
        return self

    @model_validator(mode="after")
    def _range_is_sound(self) -> Parameter:
        if self.low is None or self.high is None:
            return self
        if self.low > self.high:
            raise ValueError(f"`low` ({self.low:g}) is above `high` ({self.high:g}); swap them")
        if self.scale is Scale.LOG and self.low <= 0:
            raise ValueError(f"`low` is {self.low:g}, but the logarithm of zero and below does not exist; raise `low`")
        if self.scale is Scale.LOG and self.step is not None:
            raise ValueError("`step` and `scale: Log` exclude each other; remove one")
        if self.type is ParameterType.INT:
            self._numbers_are_whole()
        return self

    def _numbers_are_whole(self) -> None:
        for name in ("low", "high", "step"):
            number = getattr(self, name)
            if number is not None and not float(number).is_integer():
                raise ValueError(f"`{name}` of an Int must be a whole number, not {number:g}")
            if number is not None and abs(number) > 2**53:
                raise ValueError(f"`{name}` of an Int must lie within ±2^53")

    @model_validator(mode="after")
    def _choices_differ(self) -> Parameter:
        seen: set[tuple[bool, Any]] = set()
        for choice in self.choices or ():
            key = (isinstance(choice, bool), choice)
            if key in seen:
                raise ValueError(f"the choice {choice!r} stands twice; remove one")
            seen.add(key)
        return self

    def contains(self, value: Any) -> bool:
        """Return whether a value is one that this parameter can take; on a step's grid up to rounding."""
        if self.type is ParameterType.CATEGORICAL:
            assert self.choices is not None
            return any(
                isinstance(value, bool) == isinstance(choice, bool) and value == choice for choice in self.choices
            )
        if self.type is ParameterType.FIXED:
            return isinstance(value, bool) == isinstance(self.value, bool) and bool(value == self.value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        assert self.low is not None
        assert self.high is not None
        if self.type is ParameterType.INT and not float(value).is_integer():
            return False
        on_grid = self.step is None or math.isclose(
            (value - self.low) / self.step, round((value - self.low) / self.step), abs_tol=1e-8
        )
        return self.low <= value <= self.high and on_grid
