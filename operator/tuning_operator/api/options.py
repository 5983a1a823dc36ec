"""A method's options: any fields in the resource, checked by the method's own model by name and type."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError, WithJsonSchema

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.sentences import one_line, problems, shown

Options = Annotated[
    dict[str, Any],
    Field(max_length=32),
    WithJsonSchema({"type": "object", "maxProperties": 32, "x-kubernetes-preserve-unknown-fields": True}),
]
"""Options as the user wrote them."""


class NoOptions(ResourceModel):
    """A method without options."""


def not_a_name_alone(value: Any) -> Any:
    """Return a method as it was written; `ValueError` if that is only its name."""
    if isinstance(value, str):
        raise ValueError(f"must be an object with fields; write `{{name: {one_line(value)}}}`")
    return value


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
