"""Numbers, durations and parameters as people read them. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from tuning_contract.environment import ParameterValue
from tuning_operator.api.yaml_documents import documents

NOTHING = "–"
"""Stands where there is no value."""

_BARS = "▁▂▃▄▅▆▇█"


def value_text(value: float | None, decimals: int | None = 4) -> str:
    """Return an objective value; `decimals` None: in scientific notation."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return str(value)
    return f"{value:.3e}" if decimals is None else f"{value:.{decimals}f}"


def spread_text(std: float | None, decimals: int | None = 4) -> str:
    """Return what stands behind the mean of several runs; empty: there are not several."""
    return "" if std is None else f" ±{value_text(std, decimals)}"


def decimals_for(values: Iterable[float | None]) -> int | None:
    """Return the decimals that suit a column: about five significant digits of the largest value.

    None: the values are too large or too small for a plain number.
    """
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0]
    if not sizes:
        return 4
    if max(sizes) >= 1e7 or max(sizes) < 1e-3:
        return None
    return min(4, max(0, 4 - math.floor(math.log10(max(sizes)))))


def parameter_text(value: ParameterValue) -> str:
    """Return a parameter's value, a float with three significant digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def scalar_text(value: ParameterValue) -> str:
    """Return a parameter's value as YAML with all its digits, quoted only where it would be read as something else."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", value) and [*documents(value)] == [value]:
        return value
    return json.dumps(value, ensure_ascii=False)


def parameters_text(parameters: Mapping[str, ParameterValue]) -> str:
    """Return parameters on one line."""
    return "  ".join(f"{name}={parameter_text(value)}" for name, value in parameters.items())


def seconds_text(seconds: float | None) -> str:
    """Return a duration: 0.4s, 12s, 1m05s, 2h03m. What is known in whole seconds has no tenths: 4s."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95 and not float(seconds).is_integer():
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return a curve as at most `width` bars, the lowest finite value at the bottom; long curves are thinned out."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    count = min(width, len(finite))
    points = [finite[round(index * (len(finite) - 1) / max(1, count - 1))] for index in range(count)]
    low, high = min(points), max(points)
    if high <= low or not math.isfinite(high - low):
        return _BARS[3] * count
    return "".join(_BARS[min(7, int(8 * (value - low) / (high - low)))] for value in points)


def plural(count: int, noun: str) -> str:
    """Return `1 trial`, `2 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
