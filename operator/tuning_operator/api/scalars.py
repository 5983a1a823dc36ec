"""Numbers and untyped values, as they come back from the API server."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from tuning_operator.api.model import CEL_RULES, cel
from tuning_operator.api.sentences import shown

MAX_TEXT = 256
"""Characters of a value that is a string: it becomes an environment variable and a label of plots."""

MAX_MAGNITUDE = 1e300
"""Bounds beyond this would make the width of a range infinite."""

_INT64 = 2**63

# Not `maximum`: the API server casts that to 64 bits when it compares it with a whole number.
_WITHIN_MAGNITUDE = cel(f"self >= -{MAX_MAGNITUDE} && self <= {MAX_MAGNITUDE}", f"must lie within ±{MAX_MAGNITUDE:g}")


def as_stored(number: int | float) -> int | float:
    """Return a number as the API server stores it: 1.0 as 1, what exceeds 64 bits as a float.

    Local files go through the same, so that a trainer gets the same types either way.

    Raises
    ------
    ValueError
        The number is not finite.
    """
    if isinstance(number, int):
        if -_INT64 <= number < _INT64:
            return number
        try:
            return float(number)
        except OverflowError:
            raise ValueError("must be a finite number") from None
    if not math.isfinite(number):
        raise ValueError(f"must be a finite number (given: {number!r})")
    return int(number) if number.is_integer() and -_INT64 <= number < _INT64 else number


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number (given: {shown(value)})")
    number = as_stored(value)
    if abs(number) > MAX_MAGNITUDE:
        raise ValueError(f"must lie within ±{MAX_MAGNITUDE:g} (given: {number!r})")
    return number


def _positive(number: int | float) -> int | float:
    if number <= 0:
        raise ValueError(f"must be above 0 (given: {number!r})")
    return number


def _non_negative(number: int | float) -> int | float:
    if number < 0:
        raise ValueError(f"must not be below 0 (given: {number!r})")
    return number


def _scalar(value: Any) -> bool | int | float | str:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"must have at most {MAX_TEXT} characters (given: {shown(value)})")
        if not _is_plain(value):
            raise ValueError(f"must not contain NUL or half characters (given: {shown(value)})")
        return value
    if isinstance(value, bool):
        return value
    if not isinstance(value, int | float):
        kind = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "null"
        raise ValueError(f"must be a string, a number, true or false, not {kind}")
    return as_stored(value)


def _is_plain(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


Number = Annotated[
    int | float,
    PlainValidator(_number),
    WithJsonSchema({"type": "number", CEL_RULES: [_WITHIN_MAGNITUDE]}),
]
"""A number of a range; whole numbers are ints."""

PositiveNumber = Annotated[
    Number,
    AfterValidator(_positive),
    WithJsonSchema({"type": "number", "minimum": 0, "exclusiveMinimum": True, CEL_RULES: [_WITHIN_MAGNITUDE]}),
]
"""A distance between numbers."""

NonNegativeNumber = Annotated[
    Number,
    AfterValidator(_non_negative),
    WithJsonSchema({"type": "number", "minimum": 0, CEL_RULES: [_WITHIN_MAGNITUDE]}),
]
"""A distance that may be none."""

Scalar = Annotated[
    bool | int | float | str,
    PlainValidator(_scalar),
    WithJsonSchema(
        {
            "x-kubernetes-preserve-unknown-fields": True,
            "maxProperties": 0,
            "maxItems": 0,
            "maxLength": MAX_TEXT,
        }
    ),
]
"""A value of a parameter: JSON's string, number or boolean. A structural schema has no type for that, so the API server
refuses only what a limit can: objects and lists that hold something, and long strings."""
