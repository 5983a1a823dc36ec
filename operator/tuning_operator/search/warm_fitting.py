"""How others' results become trials of a study's space, and what keeps them out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError

from tuning_contract.environment import ParameterValue
from tuning_contract.parameters import MAX_NAMED_PARAMETERS
from tuning_operator.api.named_parameters import NamedParameter
from tuning_operator.api.parameters import Parameter, ParameterType, Scale
from tuning_operator.search.naming import as_sent, is_same_kind
from tuning_operator.search.space import distribution
from tuning_operator.search.warm_bounds import Bounds
from tuning_operator.search.warm_sources import Result, finite

_SHOWN_REASONS = 3


@dataclass(frozen=True)
class FittingTrial:
    """A trial in a study's space."""

    parameters: Mapping[str, Any]
    """Those that the study has."""
    values: Sequence[float]
    """Of the study's objectives."""
    named: Mapping[str, tuple[NamedParameter, ParameterValue]]
    """What the study's code may name besides, as it was in the trial, with its value."""
    excesses: Sequence[float] = ()
    """Beyond the study's bounds of metrics."""


class Fitting:
    """Takes trials of a source into a space, and counts what keeps the others out."""

    def __init__(self, parameters: Sequence[Parameter], bounds: Bounds, *, by_run: bool) -> None:
        self._parameters = parameters
        self._own = {parameter.name for parameter in parameters}
        self._bounds = bounds
        self._by_run = by_run
        self._nameable: dict[tuple[str, int], tuple[NamedParameter | None, BaseDistribution]] = {}
        """By name and identity of Optuna's distribution, which trials share."""
        self._problems: Counter[str] = Counter()
        self._unknown: set[str] = set()

    def taken(self, result: Result, values: Sequence[float]) -> FittingTrial | None:
        """Return a trial in this space; None: it does not fit."""
        fitting, problem = self._fitting(result.parameters)
        named = self._named(result) if self._by_run else {}
        self._unknown |= result.parameters.keys() - self._own - named.keys()
        outside = [name for name, (parameter, value) in named.items() if not parameter.contains(value)]
        if not problem and outside:
            problem = f"`{outside[0]}` lies outside of its values"
        if not problem and not finite(values):
            problem = "a value is not finite"
        if problem:
            self._problems[problem] += 1
            return None
        return FittingTrial(fitting, list(values), named, self._bounds.excesses(result, values))

    def _fitting(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return a trial's parameters in this space, and which of them does not fit."""
        fitting: dict[str, Any] = {}
        for parameter in self._parameters:
            if not parameter.is_active(fitting):
                continue
            value = given.get(parameter.name, parameter.value)  # a source knows nothing of what is Fixed here
            if value is None:
                return fitting, f"`{parameter.name}` is missing"
            if not parameter.contains(value):
                return fitting, f"`{parameter.name}` lies outside of its values"
            fitting[parameter.name] = int(value) if parameter.type is ParameterType.INT else value
        return fitting, ""

    def _named(self, result: Result) -> dict[str, tuple[NamedParameter, ParameterValue]]:
        """Return those of a trial's other parameters that code can ask for, with their values."""
        named = {}
        for name in islice((name for name in result.kinds if name not in self._own), MAX_NAMED_PARAMETERS):
            if (parameter := self._as_named(name, result.kinds[name])) is not None:
                named[name] = parameter, as_sent(result.stored[name])
        return named

    def _as_named(self, name: str, kind: BaseDistribution) -> NamedParameter | None:
        key = name, id(kind)
        if key not in self._nameable:
            self._nameable[key] = named_parameter(name, kind), kind  # which keeps its identity
        return self._nameable[key][0]

    def report(self) -> str:
        """Return what did not fit, as the end of a sentence."""
        reasons = [f"{why} in {count}" for why, count in self._problems.most_common(_SHOWN_REASONS)]
        parts = [f" (left out: {', '.join(reasons)})"] if reasons else []
        if self._unknown:
            names = ", ".join(f"`{str(name)[:64]}`" for name in sorted(self._unknown, key=str)[:_SHOWN_REASONS])
            parts.append(f" (not a parameter here: {names}{' …' if len(self._unknown) > _SHOWN_REASONS else ''})")
        return "".join([*parts, self._bounds.report()])


def named_parameter(name: str, kind: BaseDistribution) -> NamedParameter | None:
    """Return a parameter of an Optuna study as code would ask for it; None: it can't."""
    fields: dict[str, Any] = {"name": name}
    match kind:
        case CategoricalDistribution():
            fields |= {"type": ParameterType.CATEGORICAL, "choices": [as_sent(choice) for choice in kind.choices]}
        case FloatDistribution() | IntDistribution():
            is_int = isinstance(kind, IntDistribution)
            fields |= {
                "type": ParameterType.INT if is_int else ParameterType.FLOAT,
                "low": kind.low,
                "high": kind.high,
                "step": None if kind.log else kind.step,
                "scale": Scale.LOG if kind.log else Scale.LINEAR,
            }
    try:
        return NamedParameter.model_validate(fields)
    except ValidationError:
        return None


def of_one_kind(trials: Sequence[FittingTrial]) -> list[FittingTrial]:
    """Leave out trials that have a parameter of another kind than later ones: a name means one kind in a study."""
    kinds: dict[str, BaseDistribution] = {}
    known: dict[int, bool] = {}
    """Whether a parameter is of its name's kind, by its identity: trials share some."""

    def is_of_its_kind(parameter: NamedParameter) -> bool:
        if parameter.name not in kinds:
            return True
        if id(parameter) not in known:
            known[id(parameter)] = is_same_kind(distribution(parameter), kinds[parameter.name])
        return known[id(parameter)]

    found: list[FittingTrial] = []
    for trial in reversed(trials):
        parameters = [parameter for parameter, _ in trial.named.values()]
        if all(map(is_of_its_kind, parameters)):
            found.append(trial)
            kinds |= {each.name: distribution(each) for each in parameters if each.name not in kinds}
    return found[::-1]
