"""What of a framework's logged metrics is reported."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat

from tuning_contract.reports import METRIC_NAME

Metrics = Mapping[str, str] | Sequence[str] | None
"""Logged names, or logged names and the names to report them under; None: every scalar with a valid metric name."""

_log = logging.getLogger(__name__)


class MetricChoice:
    """The metrics to report, under which names."""

    def __init__(self, metrics: Metrics) -> None:
        names = [metrics] if isinstance(metrics, str) else metrics
        self._names = names if names is None or isinstance(names, Mapping) else {name: name for name in names}
        self._missed: set[str] = set()

    def complete(self, logged: Mapping[str, Any]) -> bool:
        """Whether every metric that was asked for is there; without names, whether there is any."""
        return bool(logged) and all(name in logged for name in self._names or ())

    def of(self, logged: Mapping[str, Any]) -> dict[str, SupportsFloat]:
        """Return what to report; a metric that was asked for and is not logged is left out, with one warning."""
        if self._names is None:
            return {name: value for name, value in logged.items() if METRIC_NAME.fullmatch(name) and _is_scalar(value)}
        for name in self._names.keys() - logged.keys() - self._missed:
            self._missed.add(name)
            _log.warning("metric %r is not reported: the framework logged %s only", name, ", ".join(sorted(logged)))
        return {reported: logged[name] for name, reported in self._names.items() if name in logged}


def _is_scalar(value: Any) -> bool:
    if not isinstance(value, SupportsFloat):
        return False
    try:
        float(value)
    except (TypeError, ValueError, RuntimeError):  # arrays and tensors with several elements
        return False
    return True
