"""A method's options: any fields in the resource, checked by the method's own model by name and type."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, WithJsonSchema, model_validator

from tuning_contract.reports import MAX_STEP
from tuning_operator.api.model import ResourceModel
from tuning_operator.api.sentences import one_line, problems, shown
from tuning_operator.api.structural_schema import structural_schema

Steps = Annotated[int, Field(ge=1, le=MAX_STEP)]
ReductionFactor = Annotated[int, Field(ge=2, le=1000)]
Points = Annotated[int, Field(ge=2, le=1000)]


class SeenOptions(ResourceModel):
    """Options that the API server sees, because they mean the same in every method that has them."""

    min_resource: Steps | None = None
    """Step of the first rung."""
    max_resource: Steps | None = None
    """The last step of a whole trial: its number of epochs."""
    reduction_factor: ReductionFactor | None = None
    """How much farther each rung is than the one before."""
    points: Points | None = None
    """How many values of each continuous Float and each Log range a Grid tries."""


_WHOLE = {"type": "number", "multipleOf": 1}
"""9.0 is whole too, and stored as 9; of the type integer, rules would fail for it."""

Options = Annotated[
    dict[str, Any],
    Field(max_length=32),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 32,
            "properties": {
                name: {**seen, **_WHOLE} for name, seen in structural_schema(SeenOptions)["properties"].items()
            },
            "x-kubernetes-preserve-unknown-fields": True,
        }
    ),
]
"""Options as the user wrote them."""


class NoOptions(ResourceModel):
    """A method without options."""


class Method(ResourceModel):
    """A sampler or pruner by name, with its options."""

    @abstractmethod
    def parsed_options(self) -> ResourceModel:
        """Return the options as the model of this method; `ValueError` names what is wrong with them."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_name_alone(cls, written: Any) -> Any:
        if isinstance(written, str):
            raise ValueError(f"must be an object with fields; write `{{name: {one_line(written)}}}`")
        return written

    @model_validator(mode="after")
    def _options_are_known(self) -> Self:
        self.parsed_options()
        return self


def parse_options(method: str, model: type[ResourceModel], options: dict[str, Any]) -> ResourceModel:
    """Return a method's options; `ValueError` names what is wrong with them, or lists those that it knows."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    for name in options:
        if name not in known:
            says = f"it knows {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{method} has no option {shown(name)}; {says}")
    try:
        return model.model_validate(options, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ValueError("; ".join(problems(error, below="options"))) from None
