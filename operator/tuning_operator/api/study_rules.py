"""What the API server enforces of `study_checks`: rules over a whole spec, with the sentences that stand there."""

from __future__ import annotations

from tuning_operator.api import several_objectives
from tuning_operator.api.conditional_parameters import WHEN_RULES
from tuning_operator.api.model import cel
from tuning_operator.api.named_parameters import BY_RUN_RULES
from tuning_operator.api.pruners import ONE_RUN
from tuning_operator.api.samplers import INHERITING
from tuning_operator.api.study_checks import (
    ENDLESS_BRUTE_FORCE,
    ENDLESS_GRID,
    NO_CHECKPOINTS,
    NO_NUMBERS,
    NOTHING_TO_SEARCH,
    PARALLELISM,
    TWO_JUDGES,
)

_INHERITS = f"(self.search.sampler.name in {[name.value for name in INHERITING]})"
_SEVERAL_VALUES = "has(p.low) && has(p.high) && p.low != p.high"
_CONTINUOUS = f"(p.type == 'Float' && !has(p.step) && {_SEVERAL_VALUES})"
_LOGARITHMIC = "(has(p.scale) && p.scale != 'Linear')"
_SEARCHED_NUMBER = f"(p.type in ['Float', 'Int'] && !has(p.when) && {_SEVERAL_VALUES})"

RULES = [
    cel("self.parallelism <= self.maxTrials", PARALLELISM.format("", ""), ".parallelism"),
    *WHEN_RULES,
    cel("self.parameters.size() > 0 || self.defineByRun", NOTHING_TO_SEARCH, ".parameters"),
    *BY_RUN_RULES,
    cel(f"!{_INHERITS} || has(self.trial.checkpoints)", NO_CHECKPOINTS, ".trial"),
    cel(f"!{_INHERITS} || self.search.pruner.name in ['None', 'Threshold']", TWO_JUDGES, ".search"),
    *several_objectives.RULES,
    cel(
        f"self.search.sampler.name != 'BruteForce' || !self.parameters.exists(p, {_CONTINUOUS})",
        ENDLESS_BRUTE_FORCE.format(parameter="a continuous Float"),
        ".parameters",
    ),
    cel(
        "self.search.sampler.name != 'Grid' || "
        "(has(self.search.sampler.options) && has(self.search.sampler.options.points)) || "
        f"!self.parameters.exists(p, {_CONTINUOUS} || {_LOGARITHMIC})",
        ENDLESS_GRID.format(parameter="a continuous Float or a logarithmic range"),
        ".parameters",
    ),
    cel(
        f"self.search.sampler.name != 'CMAES' || self.parameters.exists(p, {_SEARCHED_NUMBER})",
        NO_NUMBERS,
        ".parameters",
    ),
    cel("self.search.pruner.name != 'Wilcoxon' || self.trial.repeats > 1 || self.trial.folds > 1", ONE_RUN, ".trial"),
]
