"""Where a trial's metrics come from: its own reports, or the log of its container."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, Strict, StringConstraints, model_validator

from tuning_operator.api.log_pattern import DEFAULT_PATTERN, MAX_PATTERN, LogPattern
from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.names import METRIC_NAME

MetricName = Annotated[str, StringConstraints(pattern=METRIC_NAME, max_length=128)]
"""Name of a metric that trials report."""


class MetricsSource(StrEnum):
    """Who tells a trial's metrics."""

    REPORTS = "Reports"
    LOGS = "Logs"


class LogFormat(StrEnum):
    """What the lines of a log are."""

    TEXT = "Text"
    JSON = "Json"


def _compiles(pattern: str) -> str:
    LogPattern(pattern)
    return pattern


class LogMetrics(ResourceModel):
    """How metrics are found in the training container's log."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel(
                    "!has(self.pattern) || self.format == 'Text'",
                    "`pattern` finds metrics in text, but `format` is Json; remove one of them",
                    ".pattern",
                )
            ]
        }
    )

    format: Annotated[LogFormat, Strict(False)] = LogFormat.TEXT
    """Text: metrics are what `pattern` finds. Json: a line that is a JSON object has them as its numbers, by name."""
    pattern: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN), AfterValidator(_compiles)] | None = None
    """Regular expression (RE2) with two groups, a metric's name and its value; unset: finds `name=value`."""
    step: MetricName | None = None
    """Name of the number that counts the steps, like `epoch`; unset: each value of the objective is the next step."""

    @model_validator(mode="after")
    def _pattern_is_for_text(self) -> LogMetrics:
        if self.pattern is not None and self.format is not LogFormat.TEXT:
            raise ValueError("`pattern` finds metrics in text, but `format` is Json; remove one of them")
        return self


class TrialMetrics(ResourceModel):
    """Where a trial's metrics come from."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel(
                    "!has(self.logs) || self.source == 'Logs'",
                    "`logs` says how logs are read, but `source` is Reports; write `source: Logs` or remove `logs`",
                    ".logs",
                )
            ]
        }
    )

    source: Annotated[MetricsSource, Strict(False)] = MetricsSource.REPORTS
    """Reports: the training script sends them. Logs: they are read from the container's log while it runs."""
    logs: LogMetrics | None = None
    """How they are found there; unset: text with `name=value`."""

    @property
    def read_from_logs(self) -> LogMetrics | None:
        """How to read the logs; None: nobody reads them."""
        return (self.logs or LogMetrics()) if self.source is MetricsSource.LOGS else None

    def why_unseen(self, metric: str) -> str | None:
        """Return why a metric of that name can never be found; None: it can."""
        logs = self.read_from_logs
        if logs is None:
            return None
        if logs.step == metric:
            return f"`trial.metrics.logs.step` is the objective `{metric}` itself; name what counts the steps"
        if logs.format is LogFormat.TEXT and logs.pattern is None and not _default_finds(metric):
            return (
                f"the default pattern of `trial.metrics.logs` can't find the objective `{metric}`, for names end at "
                "each of `./@:`; write a `pattern`, or let the script print another name"
            )
        return None

    @model_validator(mode="after")
    def _logs_are_read(self) -> TrialMetrics:
        if self.logs is not None and self.source is not MetricsSource.LOGS:
            raise ValueError(
                "`logs` says how logs are read, but `source` is Reports; write `source: Logs` or remove `logs`"
            )
        return self


def _default_finds(metric: str) -> bool:
    found = LogPattern(DEFAULT_PATTERN).find(f"{metric}=1".encode())
    return [name for name, _ in found] == [metric.encode()]
