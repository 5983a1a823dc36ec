"""pydantic's JSON schema -> the structural schema that Kubernetes demands of a CRD."""

from __future__ import annotations

from typing import Any

from tuning_operator.api.model import ResourceModel

Schema = dict[str, Any]

_ORDER = ("description", "type", "format", "enum", "default", "nullable", "required", "properties", "items")
"""What a reader looks for first; the rest follows by name. Keys of JSON schema that Kubernetes does not know are left
out, and `additionalProperties: false`, which it forbids: it prunes unknown fields instead."""

_UNKNOWN = ("title", "const", "additionalProperties", "patternProperties", "propertyNames")


def structural_schema(model: type[ResourceModel]) -> Schema:
    """Return a model's schema without references, unions and nulls; descriptions are those of the fields.

    Fields that hold an object get the default `{}`: Kubernetes then fills in the defaults below it.
    """
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}))


def _structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    schema = _without_references(schema, definitions)
    structural = {key: value for key, value in schema.items() if key not in _UNKNOWN}
    if "const" in schema:
        structural["enum"] = [schema["const"]]
    if "properties" in schema:
        structural["properties"] = {
            name: _structural(field, definitions) for name, field in schema["properties"].items()
        }
    if "items" in schema:
        structural["items"] = _without_description(_structural(schema["items"], definitions))
    values = _values_of_a_map(schema)
    if values:
        structural["additionalProperties"] = _without_description(_structural(values, definitions))
    if structural.get("type") == "object" and "default" in structural:
        structural["default"] = {}
    return in_order(structural)


def in_order(schema: Schema) -> Schema:
    """Return the schema with its keys in the order of `_ORDER`."""
    known = [key for key in _ORDER if key in schema]
    return {key: schema[key] for key in (*known, *sorted(schema.keys() - set(_ORDER)))}


def _values_of_a_map(schema: Schema) -> Schema | None:
    """What pydantic demands of the values, under the pattern of the keys where there is one; Kubernetes has none."""
    values = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
    return values if isinstance(values, dict) else None


def _without_references(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """What stands beside a reference or a union (description, default) wins over what it refers to."""
    beside = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "$defs")}
    if "$ref" in schema:
        return {**_without_references(definitions[schema["$ref"].rpartition("/")[2]], definitions), **beside}
    if "anyOf" not in schema:
        return beside
    (kind,) = (option for option in schema["anyOf"] if option != {"type": "null"})
    merged = {**_without_references(kind, definitions), **beside}
    if merged.get("default") is None:
        merged.pop("default", None)
    else:
        merged["nullable"] = True
    return merged


def _without_description(schema: Schema) -> Schema:
    """An item's description is its model's docstring, which repeats that of the list."""
    return {key: value for key, value in schema.items() if key != "description"}


def without_defaults(schema: Schema) -> Schema:
    """Return the schema of what only the operator writes: it writes whole objects, so nothing is filled in."""
    copy = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in copy:
        copy["properties"] = {name: without_defaults(field) for name, field in copy["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in copy:
            copy[key] = without_defaults(copy[key])
    return copy
