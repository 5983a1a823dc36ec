"""What a task's parameters may be: their kinds, defaults and limits, and how they are read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FloatParameter:
    """A number; `low` and `high` are allowed themselves."""

    name: str
    default: float
    low: float
    high: float
    help: str

    def read(self, value: object) -> float:
        """Return a parameter or the text of a flag as a number within the limits; ValueError says why not."""
        try:
            number = float(value)  # type: ignore[arg-type]  # anything else is the error below
        except (TypeError, ValueError):
            raise ValueError(f"{self.name} is {value!r}, which is not a number") from None
        if not self.low <= number <= self.high:
            raise ValueError(f"{self.name} is {number}, but must be from {self.low} to {self.high}")
        return number


@dataclass(frozen=True)
class IntParameter:
    """A whole number; `low` and `high` are allowed themselves."""

    name: str
    default: int
    low: int
    high: int
    help: str

    def read(self, value: object) -> int:
        """Return a parameter or the text of a flag as a whole number within the limits; ValueError says why not."""
        try:
            number = float(value)  # type: ignore[arg-type]  # anything else is the error below
            whole = int(number)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{self.name} is {value!r}, which is not a whole number") from None
        if whole != number:
            raise ValueError(f"{self.name} is {value!r}, which is not a whole number")
        if not self.low <= whole <= self.high:
            raise ValueError(f"{self.name} is {whole}, but must be from {self.low} to {self.high}")
        return whole


@dataclass(frozen=True)
class ChoiceParameter:
    """One of some words."""

    name: str
    default: str
    choices: tuple[str, ...]
    help: str

    def read(self, value: object) -> str:
        """Return one of the choices; ValueError lists them."""
        if value not in self.choices:
            raise ValueError(f"{self.name} is {value!r}, but must be one of {', '.join(self.choices)}")
        return str(value)


Parameter = FloatParameter | IntParameter | ChoiceParameter


def read_all(parameters: Sequence[Parameter], values: Mapping[str, object]) -> dict[str, Any]:
    """Return the value of each parameter: the given one or the default.

    Raises
    ------
    ValueError
        A value does not fit its parameter, or there is no such parameter.
    """
    known = {parameter.name for parameter in parameters}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"there is no parameter {unknown[0]!r}; this task has {', '.join(sorted(known))}")
    return {parameter.name: parameter.read(values.get(parameter.name, parameter.default)) for parameter in parameters}
