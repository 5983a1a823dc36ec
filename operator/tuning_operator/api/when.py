"""On what a conditional parameter depends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.names import PARAMETER_NAME
from tuning_operator.api.scalars import Scalar

ParameterName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=PARAMETER_NAME)]
"""A C identifier, for it becomes the environment variable `PARAM_<name>`."""


class When(ResourceModel):
    """When a trial has the parameter: if another one, its parent, has one of some values."""

    parameter: ParameterName
    """The parent: a Categorical or Int that stands before this parameter in the list."""
    in_: Annotated[list[Scalar], Field(min_length=1, max_length=1000, alias="in")]
    """Values of the parent with which a trial has this parameter."""
    otherwise: Scalar | None = None
    """What `PARAM_<name>` is in the other trials; unset: they have no such variable, and the template can't use it."""

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether it does in a trial with these values; it does not where the parent is inactive itself."""
        parent = values.get(self.parameter)
        return parent is not None and identity(parent) in self._identities

    @cached_property
    def _identities(self) -> frozenset[tuple[bool, Any]]:
        return frozenset(identity(value) for value in self.in_)


def identity(value: Any) -> tuple[bool, Any]:
    """Return what two values share that are one: in Python true equals 1, in JSON it does not."""
    return isinstance(value, bool), value
