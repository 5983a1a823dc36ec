"""How others' results become trials of a study's space, and what keeps them out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, distribution_to_json

from tuning_contract.parameters import MAX_NAMED_PARAMETERS, PARAMETER_NAME
from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.search.naming import as_sent
from tuning_operator.search.space import told_apart
from tuning_operator.search.warm_sources import Result, cell_value, finite

_SHOWN_REASONS = 3


class Kinds:
    """What parameters can be that are not the study's own, each kind once: thousands of trials share some."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, kind: BaseDistribution) -> int:
        """Return the place of a kind among all."""
        return self._places.setdefault(distribution_to_json(kind), len(self._places))

    def to_json(self) -> list[str]:
        """Return all, in their places, as Optuna writes them."""
        return [*self._places]


class Fitting:
    """Takes trials into a space, and counts what keeps the others out."""

    def __init__(self, parameters: Sequence[Parameter], kinds: Kinds | None, *, is_text: bool) -> None:
        """`kinds` takes those of the parameters that the study's code may name; None: it names none."""
        self._parameters = parameters
        self._own = {parameter.name for parameter in parameters}
        self._kinds = kinds
        self._is_text = is_text
        self._problems: Counter[str] = Counter()
        self._unknown: set[str] = set()

    def taken(self, result: Result, values: Sequence[float]) -> list[Any] | None:
        """Return a trial as `warm_start.warm_trials` reads it: its parameters in this space, the values of this study's
        objectives, and what its code named, each with the place of its kind; None: it does not fit."""
        named = self._named(result)
        self._unknown |= result.parameters.keys() - self._own - named.keys()
        fitting, problem = self._fitting(result.parameters)
        if not problem and not finite(values):
            problem = "a value is not finite"
        if problem:
            self._problems[problem] += 1
            return None
        return [fitting, list(values), named] if named else [fitting, list(values)]

    def _named(self, result: Result) -> dict[str, tuple[int, float]]:
        """Return what the study's code may name, as Optuna stores it."""
        if self._kinds is None:
            return {}
        found = (name for name in result.stored if name not in self._own and PARAMETER_NAME.fullmatch(name))
        named = {}
        for name in islice(found, MAX_NAMED_PARAMETERS):
            kind, value = result.stored[name]
            named[name] = self._kinds.place(_as_code_asks(kind)), kind.to_internal_repr(value)
        return named

    def _fitting(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return a trial's parameters in this space, and which of them does not fit."""
        fitting: dict[str, Any] = {}
        for parameter in self._parameters:
            if not parameter.is_active(fitting):
                continue
            value = self._value(parameter, given)
            if value is None:
                return fitting, f"`{parameter.name}` is missing"
            if not parameter.contains(value):
                return fitting, f"`{parameter.name}` lies outside of its values"
            fitting[parameter.name] = int(value) if parameter.type is ParameterType.INT else value
        return fitting, ""

    def _value(self, parameter: Parameter, given: Mapping[str, Any]) -> Any:
        value = given.get(parameter.name, parameter.value)  # a source knows nothing of what is Fixed here
        if self._is_text and isinstance(value, str):
            choices = [parameter.value] if parameter.value is not None else parameter.choices
            return cell_value(value, choices, parameter.type is ParameterType.INT)
        return value

    def report(self) -> str:
        """Return what did not fit, as the end of a sentence."""
        reasons = [f"{why} in {count}" for why, count in self._problems.most_common(_SHOWN_REASONS)]
        parts = [f" (left out: {', '.join(reasons)})"] if reasons else []
        if self._unknown:
            names = ", ".join(f"`{str(name)[:64]}`" for name in sorted(self._unknown, key=str)[:_SHOWN_REASONS])
            parts.append(f" (not a parameter here: {names}{' …' if len(self._unknown) > _SHOWN_REASONS else ''})")
        return "".join(parts)


def _as_code_asks(kind: BaseDistribution) -> BaseDistribution:
    if not isinstance(kind, CategoricalDistribution):
        return kind
    return CategoricalDistribution(told_apart([as_sent(choice) for choice in kind.choices]))
