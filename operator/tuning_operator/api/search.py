"""How the space is searched: sampler, pruner, seed and the trials to run first."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.parameters import ParameterName
from tuning_operator.api.pruners import Pruner
from tuning_operator.api.samplers import Sampler
from tuning_operator.api.scalars import Scalar


def _without_nulls(trial: Any) -> Any:
    """As the API server does it: a null counts as left out."""
    return {name: value for name, value in trial.items() if value is not None} if isinstance(trial, dict) else trial


EnqueuedTrial = Annotated[dict[ParameterName, Scalar], Field(max_length=200), BeforeValidator(_without_nulls)]
"""Parameters by name; what is left out is sampled."""


class Search(ResourceModel):
    """How the space is searched."""

    sampler: Sampler = Sampler()
    """Chooses the parameters of the next trial."""
    pruner: Pruner = Pruner()
    """Stops trials that are not worth their GPU."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    """The same seed and the same order of asks and tells give the same suggestions; without it each study differs."""
    enqueue: Annotated[list[EnqueuedTrial], Field(max_length=1000)] = Field(default_factory=list)
    """Parameters of the trials to run first; what a trial leaves out is sampled."""
