"""The tables of the fields' reference, made from the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from tuning_operator.api.crd import study_schema
from tuning_operator.api.model import ResourceModel
from tuning_operator.api.pruners import PRUNER_OPTIONS
from tuning_operator.api.samplers import SAMPLER_OPTIONS
from tuning_operator.api.structural_schema import Schema, structural_schema


def with_tables(page: str) -> str:
    """Return the page with what stands between `<!-- NAME -->` and `<!-- end -->` replaced by the table NAME."""
    tables = _tables()
    return re.sub(
        r"<!-- (\w+) -->\n.*?<!-- end -->",
        lambda match: f"<!-- {match[1]} -->\n{tables[match[1]]}<!-- end -->",
        page,
        flags=re.DOTALL,
    )


def _tables() -> dict[str, str]:
    fields = study_schema()["properties"]
    return {
        "spec": _table(fields["spec"], "spec"),
        "status": _table(fields["status"], "status", with_defaults=False),
        "samplers": _options(SAMPLER_OPTIONS),
        "pruners": _options(PRUNER_OPTIONS),
    }


def _options(models: Mapping[Any, type[ResourceModel]]) -> str:
    text = ""
    for name, model in models.items():
        options = structural_schema(model)
        known = _table(options, "") if options["properties"] else "It has no options.\n"
        text += f"\n### {name.value if isinstance(name, StrEnum) else name}\n\n{known}"
    return text + "\n"


def _table(schema: Schema, path: str, with_defaults: bool = True) -> str:
    rows = [("field", "type", "default", "is"), ("---",) * 4, *_rows(schema, path)]
    columns = (0, 1, 2, 3) if with_defaults else (0, 1, 3)
    return "".join(f"| {' | '.join(row[column] for column in columns)} |\n" for row in rows)


def _rows(schema: Schema, path: str) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        place = f"{path}.{name}".removeprefix(".")
        default = "**required**" if name in required else _default(field)
        description = " ".join(field.get("description", "").split())  # a row is a line
        yield f"`{place}`", _kind(field), default, description
        if (below := _below(field)) is not None:
            yield from _rows(below, place + "[]" * (field["type"] == "array"))


def _below(field: Schema) -> Schema | None:
    """Return the schema whose fields lie below a field, None where there are none: a map's keys are no fields."""
    below: Schema = field.get("items", field)
    return below if "properties" in below and "x-kubernetes-preserve-unknown-fields" not in below else None


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or default == {}:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _kind(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "type" not in field:
        return "string, number or boolean"
    if field["type"] == "array":
        return f"list of at most {field['maxItems']:,}"
    if field["type"] == "object":
        return "object" if _below(field) else "map"
    written = str(field.get("format", field["type"]))
    kind = {"integer": "whole number", "date-time": "time"}.get(written, written)
    low, high = field.get("minimum"), field.get("maximum")
    if high is not None:
        return f"{kind}, {low:,} to {high:,}"
    if field.get("exclusiveMinimum"):
        return f"{kind} above {low}"
    return kind


def leaves(schema: Schema, path: str = "") -> Iterator[str]:
    """Yield the paths of the fields without fields below them, like `objectives[].metric`."""
    for name, field in schema["properties"].items():
        place = f"{path}.{name}".removeprefix(".")
        if (below := _below(field)) is not None:
            yield from leaves(below, place + "[]" * (field["type"] == "array"))
        else:
            yield place
