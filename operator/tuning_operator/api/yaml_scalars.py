"""Which value a plain YAML scalar stands for, by the rules of kubectl's YAML library (go-yaml v2, then JSON).

They are YAML 1.1's without base 60 and without dates, plus Go's own notation of integers: `off` is false, `010` is 8,
`0o7` is 7, `1_000` is 1000, `12:30` and `2024-01-31` are strings. What exceeds 64 bits is a float, what exceeds a float
is a string.
"""

from __future__ import annotations

import math
import re

from tuning_operator.api.scalars import as_stored

Plain = None | bool | int | float | str

_WORDS: dict[str, Plain] = {
    **{word: True for base in ("y", "yes", "true", "on") for word in (base, base.capitalize(), base.upper())},
    **{word: False for base in ("n", "no", "false", "off") for word in (base, base.capitalize(), base.upper())},
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL = re.compile(r"([-+]?)0[oO]?([0-7]+)")
_HEXADECIMAL = re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)")
_BINARY = re.compile(r"([-+]?)0[bB]([01]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_MOST_DIGITS = 400
"""No number of 64 bits or float has a longer text that is worth reading; Python refuses to parse very long integers."""


def plain_scalar(text: str) -> Plain:
    """Return the value of an unquoted scalar without a tag. Whole numbers are ints, as they are once they are JSON."""
    if text in _WORDS:
        return _WORDS[text]
    if not text[0].isascii() or text[0] not in "+-.0123456789" or len(text) > _MOST_DIGITS:
        return text
    digits = text.replace("_", "")
    integer = _integer(digits)
    if integer is not None:
        return integer
    if not _FLOAT.fullmatch(digits):
        return text
    number = float(digits)
    return text if math.isinf(number) else as_stored(number)


def _integer(digits: str) -> int | None:
    value: int | None = None
    if _DECIMAL.fullmatch(digits):
        value = int(digits)
    else:
        for pattern, base in ((_OCTAL, 8), (_HEXADECIMAL, 16), (_BINARY, 2)):
            match = pattern.fullmatch(digits)
            if match:
                value = int(match[1] + match[2], base)
    return value if value is None or -(2**63) <= value < 2**63 else None
