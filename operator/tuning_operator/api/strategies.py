"""Options of the strategies: search methods that also say from which trial a trial goes on, and how far."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.pruners import Steps, require_order


class SynchronousHyperbandOptions(ResourceModel):
    """Options of Hyperband with promotion: the best of a rung go on from their checkpoints, once all of it have ended.

    A trial that fails, or is pruned, is a loser. `tuning preview` shows the brackets and what they cost.
    """

    max_resource: Steps
    """The last step of a trial that is promoted to the end: its number of epochs."""
    min_resource: Steps = 1
    """The first rung of the most merciless bracket is not below this step."""
    reduction_factor: Annotated[int, Field(ge=2, le=1000)] = 3
    """How much farther each rung is than the one before; about one of so many trials goes on."""
    iterations: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often all brackets are run, each time with new trials."""

    @model_validator(mode="after")
    def _resources_are_in_order(self) -> SynchronousHyperbandOptions:
        require_order(self.min_resource, self.max_resource)
        return self
