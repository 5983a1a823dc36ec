"""Bounds that a trial's metrics should keep: soft ones, for they are known only once it has trained."""

from __future__ import annotations

from pydantic import ConfigDict, model_validator

from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.scalars import Number
from tuning_operator.api.trial_metrics import MetricName

_NO_BOUND = "a metric constraint needs `max` or `min`, or both"


class MetricConstraint(ResourceModel):
    """A bound, or two, of one metric."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel("has(self.max) || has(self.min)", _NO_BOUND),
                cel(
                    "!has(self.max) || !has(self.min) || self.min <= self.max",
                    "`min` is above `max`; swap them",
                    ".min",
                ),
            ]
        }
    )

    metric: MetricName
    """Name of the metric, as the trials report it; of one that is no objective, the last value counts."""
    max: Number | None = None
    """The largest value that is good enough."""
    min: Number | None = None
    """The smallest value that is good enough."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> MetricConstraint:
        if self.max is None and self.min is None:
            raise ValueError(_NO_BOUND)
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"`min` ({self.min:g}) is above `max` ({self.max:g}); swap them")
        return self
