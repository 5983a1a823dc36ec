"""Define-by-run: a study whose trials' code names parameters itself, and what such a parameter may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints, ValidationError, model_validator

from tuning_contract.reports import WireError, parse_json
from tuning_operator.api.model import cel
from tuning_operator.api.names import NAMED_PARAMETER
from tuning_operator.api.parameters import Parameter, ParameterType, Scale
from tuning_operator.api.samplers import STRATEGIES, RandomOptions, Sampler, SamplerName
from tuning_operator.api.search import Search
from tuning_operator.api.sentences import problems

_WHOLE_SPACE = (SamplerName.GRID, SamplerName.BRUTE_FORCE)
"""Samplers that go through all points of the space."""
_BEFOREHAND = (SamplerName.QMC, SamplerName.CMA_ES)
"""Samplers that search what is in `parameters`; what code names besides is random."""
WITH_LOGS = (
    "`trial.metrics.source: Logs` is for code that knows of no study, and `defineByRun` for code that asks it for "
    "parameters; remove one of them"
)
WITH_TABLE = (
    "a `csv` of `search.warmStart` does not say what else a parameter can be, so that only what is in `parameters` can "
    "be taken from it, and nothing is; take a study, or put in what every trial has"
)
_KNOWS_THE_SPACE = (
    "{sampler} has to know the whole space before the first trial; remove `defineByRun` or take another sampler"
)
_NOTHING_BEFOREHAND = (
    "{sampler} searches what is in `parameters`, where nothing is; put in what every trial has, or take another sampler"
)
_WITH_DETERMINISTIC = "`search.deterministic` can't go with `defineByRun`; remove one of them"
_SAMPLER = "`search.sampler`"

BY_RUN_RULES = [
    cel(
        f"!self.defineByRun || !(self.search.sampler.name in {[name.value for name in (*_WHOLE_SPACE, *STRATEGIES)]})",
        _KNOWS_THE_SPACE.format(sampler=_SAMPLER),
        ".search",
    ),
    cel(
        "!self.defineByRun || self.parameters.size() > 0 || "
        f"!(self.search.sampler.name in {[name.value for name in _BEFOREHAND]})",
        _NOTHING_BEFOREHAND.format(sampler=_SAMPLER),
        ".search",
    ),
    cel("!self.defineByRun || !self.search.deterministic", _WITH_DETERMINISTIC, ".search"),
    cel("!self.defineByRun || self.trial.metrics.source != 'Logs'", WITH_LOGS, ".trial"),
    cel(
        "!self.defineByRun || self.parameters.size() > 0 || !has(self.search.warmStart) || "
        "!self.search.warmStart.exists(source, has(source.csv))",
        WITH_TABLE,
        ".search",
    ),
]
"""What the API server enforces of `why_not_by_run`."""


class NamedParameter(Parameter):
    """A Float, Int or Categorical as code asks for it, under conditions that only the code knows."""

    name: Annotated[str, StringConstraints(pattern=NAMED_PARAMETER)]

    @model_validator(mode="after")
    def _code_can_ask_for_it(self) -> NamedParameter:
        if self.type is ParameterType.FIXED or self.when is not None or self.scale is Scale.REVERSE_LOG:
            raise ValueError(
                "code asks for a Float or Int of a Linear or Log scale, or for a Categorical; what is Fixed, has a "
                "`when` or the scale ReverseLog belongs into the study's `parameters`"
            )
        return self


def parse_named_parameter(body: bytes) -> NamedParameter:
    """Return the parameter that a request's body asks for.

    Raises
    ------
    WireError
        It is none; the message names all that is wrong.
    """
    try:
        return NamedParameter.model_validate(parse_json(body), by_alias=True, by_name=False)
    except ValidationError as error:
        raise WireError("; ".join(problems(error, whole="the parameter"))) from None


def why_not_by_run(search: Search, declared: bool) -> str | None:
    """Return why a search can't be defined by run, None if it can; `declared` says whether there are `parameters`."""
    sampler = search.sampler
    if sampler.name in _WHOLE_SPACE or sampler.name.is_strategy or _is_unique(sampler):
        how = f"{sampler.name.value} with `unique`" if _is_unique(sampler) else sampler.name.value
        return _KNOWS_THE_SPACE.format(sampler=how)
    if sampler.name in _BEFOREHAND and not declared:
        return _NOTHING_BEFOREHAND.format(sampler=sampler.name.value)
    if search.deterministic:
        return _WITH_DETERMINISTIC
    if not declared and any(source.csv is not None for source in search.warm_start):
        return WITH_TABLE
    return None


def _is_unique(sampler: Sampler) -> bool:
    options = sampler.parsed_options()
    return isinstance(options, RandomOptions) and options.unique
