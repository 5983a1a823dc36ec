"""How the space is searched: sampler, pruner, seed and the trials to run first."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.names import NAMED_PARAMETER
from tuning_operator.api.pruners import Pruner, PrunerName
from tuning_operator.api.samplers import LEARNING, STRATEGIES, Sampler
from tuning_operator.api.scalars import Scalar
from tuning_operator.api.warm_start import WarmStarts


def _without_nulls(trial: Any) -> Any:
    """As the API server does it: a null counts as left out."""
    return {name: value for name, value in trial.items() if value is not None} if isinstance(trial, dict) else trial


_Name = Annotated[str, StringConstraints(pattern=NAMED_PARAMETER)]
"""Also one that only code names; another one is in no `parameters`."""
EnqueuedTrial = Annotated[dict[_Name, Scalar], Field(max_length=200), BeforeValidator(_without_nulls)]
"""Parameters by name; what is left out is sampled."""


_NOT_DETERMINISTIC = "!has(self.deterministic) || !self.deterministic"
"""The rules are checked for the schema's default of `search` too, in which nothing is filled in yet."""
_WITHOUT_SEED = "`deterministic` needs a `seed`: without one each study differs; give it any number"
_WITH_PRUNER = (
    "`deterministic` can't go with a pruner: how far a pruned trial comes depends on the machine; "
    "remove `pruner` or `deterministic`"
)
_WITH_STRATEGY = (
    "`deterministic` can't go with a strategy, whose rounds wait for all their trials; take another sampler or remove "
    "`deterministic`"
)
_STRATEGIES = [name.value for name in STRATEGIES]
_LEARNING = [name.value for name in LEARNING]
_NOTHING_LEARNS = (
    "{sampler} looks at no results, so that `warmStart` would change nothing; remove it or take another sampler"
)


class Search(ResourceModel):
    """How the space is searched."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel(f"{_NOT_DETERMINISTIC} || has(self.seed)", _WITHOUT_SEED, ".deterministic"),
                cel(f"{_NOT_DETERMINISTIC} || self.pruner.name == 'None'", _WITH_PRUNER, ".deterministic"),
                cel(f"{_NOT_DETERMINISTIC} || !(self.sampler.name in {_STRATEGIES})", _WITH_STRATEGY, ".deterministic"),
                cel(
                    f"!has(self.warmStart) || self.warmStart.size() == 0 || self.sampler.name in {_LEARNING}",
                    _NOTHING_LEARNS.format(sampler="the sampler"),
                    ".warmStart",
                ),
            ]
        }
    )

    sampler: Sampler = Sampler()
    """Chooses the parameters of the next trial."""
    pruner: Pruner = Pruner()
    """Stops trials that are not worth their GPU."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    """The same seed and the same order of asks and tells give the same suggestions; without it each study differs."""
    enqueue: Annotated[list[EnqueuedTrial], Field(max_length=1000)] = Field(default_factory=list)
    """Parameters of the trials to run first; what a trial leaves out is sampled."""
    warm_start: WarmStarts = Field(default_factory=list)
    """Results of other studies that the sampler learns from, read once at the start; they are no trials of this one."""
    deterministic: bool = False
    """Results count in the order of the trials, so that the same results repeat the whole study; costs waiting."""

    @model_validator(mode="after")
    def _something_learns_from_the_warm_start(self) -> Search:
        if self.warm_start and not self.sampler.name.learns:
            raise ValueError(_NOTHING_LEARNS.format(sampler=self.sampler.name.value))
        return self

    @model_validator(mode="after")
    def _it_can_be_repeated(self) -> Search:
        if self.deterministic and self.seed is None:
            raise ValueError(_WITHOUT_SEED)
        if self.deterministic and self.pruner.name is not PrunerName.NONE:
            raise ValueError(_WITH_PRUNER)
        if self.deterministic and self.sampler.name.is_strategy:
            raise ValueError(_WITH_STRATEGY)
        return self
