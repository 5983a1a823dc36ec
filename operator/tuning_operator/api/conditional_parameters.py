"""What may be wrong with the conditions of a study's parameters, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuning_operator.api.model import cel
from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.api.sentences import shown
from tuning_operator.api.when import When

_PARENTS = (ParameterType.CATEGORICAL, ParameterType.INT)
"""What a parameter may depend on: a Fixed value never changes, and a Float hardly ever hits a certain number."""

_UNKNOWN = "is not in `parameters`; add it or correct the name"
_NO_PARENT = "but only a Categorical or an Int can be depended on; change its type or remove `when`"
_ITSELF = "names the parameter itself; name another one or remove `when`"

WHEN_RULES = [
    cel(
        "self.parameters.all(p, !has(p.when) || self.parameters.exists(q, q.name == p.when.parameter))",
        f"`when.parameter` names a parameter that {_UNKNOWN}",
        ".parameters",
    ),
    cel(
        "self.parameters.all(p, !has(p.when) || self.parameters.all(q, q.name != p.when.parameter || "
        f"q.type in {[kind.value for kind in _PARENTS]}))",
        f"`when.parameter` names a Float or Fixed parameter, {_NO_PARENT}",
        ".parameters",
    ),
    cel(
        "self.parameters.all(p, !has(p.when) || p.when.parameter != p.name)",
        f"`when.parameter` {_ITSELF}",
        ".parameters",
    ),
]
"""What the API server enforces of `why_conditions_fail`. The order of the list costs it too much."""


def why_conditions_fail(parameters: Sequence[Parameter]) -> str | None:
    """Return what is wrong with the first wrong `when`, None when all are sound."""
    by_name = {parameter.name: parameter for parameter in parameters}
    earlier: set[str] = set()
    for parameter in parameters:
        if parameter.when is not None:
            parent = by_name.get(parameter.when.parameter)
            problem = _of_parent(parameter.when, parent) or _of_order(parameter, by_name, earlier)
            if problem is not None:
                return f"`when` of the parameter `{parameter.name}` {problem}"
        earlier.add(parameter.name)
    return None


def why_not_given_together(given: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> str | None:
    """Return which of the values of an enqueued trial it can't have, and why; None: it can have them all."""
    for name in given:
        when = parameters[name].when
        if when is None or when.holds(given):
            continue
        if when.parameter not in given:
            return f"gives `{name}` without `{when.parameter}`, on which it depends; add that or remove `{name}`"
        return (
            f"gives `{name}`, which a trial with `{when.parameter}` {shown(given[when.parameter])} does not have; "
            "remove one of them"
        )
    return None


def _of_parent(when: When, parent: Parameter | None) -> str | None:
    if parent is None:
        return f"names `{when.parameter}`, which {_UNKNOWN}"
    if parent.type not in _PARENTS:
        return f"names `{parent.name}`, which is {parent.type.value}, {_NO_PARENT}"
    for value in when.in_:
        if not parent.contains(value):
            return (
                f"lists {shown(value)} in `in`, a value that `{parent.name}` never takes; remove it or widen "
                f"`{parent.name}`"
            )
    return None


def _of_order(parameter: Parameter, by_name: Mapping[str, Parameter], earlier: set[str]) -> str | None:
    assert parameter.when is not None
    parent = parameter.when.parameter
    if parent in earlier:
        return None
    if parent == parameter.name:
        return _ITSELF
    circle = _circle(parameter, by_name)
    if circle:
        return f"closes a circle, {' → '.join(f'`{name}`' for name in circle)}; remove one `when` of it"
    return f"names `{parent}`, which comes after it; move `{parent}` before `{parameter.name}`"


def _circle(start: Parameter, by_name: Mapping[str, Parameter]) -> list[str]:
    """Return the names from a parameter over its parents back to it; empty: they do not lead back."""
    names = [start.name]
    when = start.when
    while when is not None and when.parameter in by_name and when.parameter not in names[1:]:
        names.append(when.parameter)
        if when.parameter == start.name:
            return names if len(names) <= _SHOWN else [*names[:_SHOWN], "…", names[-1]]
        when = by_name[when.parameter].when
    return []


_SHOWN = 6
"""Names of a circle that are listed."""
