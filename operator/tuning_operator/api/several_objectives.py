"""What does not go together with several objectives, as rules of the API server and as sentences."""

from __future__ import annotations

from pydantic.config import JsonDict

from tuning_operator.api.model import cel
from tuning_operator.api.pruners import PrunerName
from tuning_operator.api.samplers import ONE_OBJECTIVE
from tuning_operator.api.search import Search
from tuning_operator.api.stopping import Stopping

MAX_OBJECTIVES = 8
"""Objectives of a study; with more, hardly any trial is better than another one in all of them."""

MOST_MEASURED = 3
"""Objectives whose hypervolume is computed; with more, that takes too long for a decision that others wait for."""

_SAMPLER = (
    "`search.sampler` searches by one objective only; take NSGAII, NSGAIII, TPE or GP, or keep one of `objectives`"
)
_PRUNER = "pruners compare trials by one objective only; remove `search.pruner`, or keep one of `objectives`"
_PLATEAU = (
    f"`stopping.plateau` follows the hypervolume, which is computed for at most {MOST_MEASURED} `objectives`; "
    "remove one of the two"
)

_NAMES = ", ".join(repr(name.value) for name in ONE_OBJECTIVE)

RULES: list[JsonDict] = [
    cel(f"self.objectives.size() == 1 || !(self.search.sampler.name in [{_NAMES}])", _SAMPLER, ".search"),
    cel("self.objectives.size() == 1 || self.search.pruner.name == 'None'", _PRUNER, ".search"),
    cel(f"self.objectives.size() <= {MOST_MEASURED} || !has(self.stopping.plateau)", _PLATEAU, ".stopping"),
]


def why_not_together(objectives: int, search: Search, stopping: Stopping) -> str | None:
    """Return what so many objectives can't be searched with; None: all is well."""
    if objectives > 1 and search.sampler.name in ONE_OBJECTIVE:
        return _SAMPLER
    if objectives > 1 and search.pruner.name is not PrunerName.NONE:
        return _PRUNER
    if objectives > MOST_MEASURED and stopping.plateau is not None:
        return _PLATEAU
    return None
