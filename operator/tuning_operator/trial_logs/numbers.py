"""One line of a log to the numbers in it, by name. What is no number, or has a name that is none, is passed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tuning_contract.reports import METRIC_NAME
from tuning_operator.api.log_pattern import DEFAULT_PATTERN, LogPattern
from tuning_operator.api.trial_metrics import LogFormat, LogMetrics

ReadLine = Callable[[bytes], dict[str, float]]
"""A line -> its numbers; where a name stands twice, the last."""


def line_reader(logs: LogMetrics) -> ReadLine:
    """Return what reads lines as a study says."""
    if logs.format is LogFormat.JSON:
        return read_json
    return partial(read_text, LogPattern(logs.pattern or DEFAULT_PATTERN))


def read_text(pattern: LogPattern, line: bytes) -> dict[str, float]:
    """Return what a pattern finds."""
    return _numbers((name.decode(errors="replace"), value) for name, value in pattern.find(line))


def read_json(line: bytes) -> dict[str, float]:
    """Return the numbers of a JSON object, also those in quotes; what is nested has no name and is passed over."""
    if not line.lstrip().startswith(b"{"):
        return {}
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    plain = (int, float, str)
    return _numbers(
        (name, value) for name, value in document.items() if isinstance(value, plain) and not isinstance(value, bool)
    )


def _numbers(found: Iterable[tuple[str, Any]]) -> dict[str, float]:
    numbers = {}
    for name, value in found:
        if METRIC_NAME.fullmatch(name):
            try:
                numbers[name] = float(value)
            except (ValueError, OverflowError):
                continue
    return numbers
