"""What may be reported: the limits of the wire format, checked where the script's line still is on the stack."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import SupportsFloat

from tuning_contract.reports import MAX_METRICS_PER_REPORT, MAX_STEP, METRIC_NAME
from tuning_trainer.errors import ReportError


def checked_step(step: int) -> int:
    """Return the number of steps done as an int; `ReportError` says why it is none."""
    try:
        number = operator.index(step)
    except TypeError:
        raise ReportError(f"the step must be a whole number, not {step!r}") from None
    if isinstance(step, bool) or not 1 <= number <= MAX_STEP:
        raise ReportError(f"the step is {step!r}, but steps count from 1, the steps done, to {MAX_STEP}")
    return number


def checked_values(values: Mapping[str, SupportsFloat]) -> dict[str, float]:
    """Return a report's metrics as floats; `ReportError` names the one that is not allowed."""
    if not 1 <= len(values) <= MAX_METRICS_PER_REPORT:
        raise ReportError(f"a report holds 1 to {MAX_METRICS_PER_REPORT} metrics, not {len(values)}")
    return {_checked_name(name): _checked_value(name, value) for name, value in values.items()}


def _checked_name(name: str) -> str:
    if not isinstance(name, str) or not METRIC_NAME.fullmatch(name):
        raise ReportError(f"{name!r} is not a metric name: letters, digits and _./@:- only, at most 128 of them")
    return name


def _checked_value(name: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ReportError(f"the value of metric {name!r} is {value!r}, which is not a number") from None
