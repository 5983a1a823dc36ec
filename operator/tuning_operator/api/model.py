"""The base of all resource models: camelCase outside, snake_case inside, no unknown fields, immutable."""

from __future__ import annotations

from functools import cache
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

CEL_RULES = "x-kubernetes-validations"
"""Where a schema holds the rules that the API server evaluates."""


def cel(rule: str, message: str, field_path: str | None = None) -> JsonDict:
    """Return a rule of the API server: a CEL expression over `self` that must hold, and the sentence if it does not.

    `field_path` is where the error points, relative to the model, like `.low`.
    """
    where: JsonDict = {"fieldPath": field_path} if field_path else {}
    return {"rule": rule, "message": message, **where}


def list_map(key: str) -> JsonDict:
    """Return what makes a list a map for Kubernetes: no two items have the same key, and patches merge by it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


class ResourceModel(BaseModel):
    """A part of the TuningStudy resource."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, document: Any) -> Any:
        # As the API server does it: a null that the schema does not allow is dropped before defaults are filled in.
        if not isinstance(document, dict) or None not in document.values():
            return document
        dropped = _fields_without_null(cls)
        return {name: value for name, value in document.items() if value is not None or name not in dropped}

    @model_serializer(mode="wrap")
    def _without_unset(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dropped = _fields_without_null(type(self))
        return {name: value for name, value in serialize(self).items() if value is not None or name not in dropped}

    def to_document(self) -> dict[str, Any]:
        """Return the JSON document of this part, without fields that are unset."""
        return self.model_dump(mode="json", by_alias=True)


def null_has_a_meaning(field: FieldInfo) -> bool:
    """Return whether null says something else than leaving the field out: it has a default, and null turns that off."""
    return NoneType in get_args(field.annotation) and field.get_default() is not None


@cache
def _fields_without_null(model: type[ResourceModel]) -> frozenset[str]:
    fields = {name: field for name, field in model.model_fields.items() if not null_has_a_meaning(field)}
    return frozenset(fields) | {field.alias or name for name, field in fields.items()}
