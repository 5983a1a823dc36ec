"""The base of all resource models: camelCase outside, snake_case inside, no unknown fields, immutable."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ResourceModel(BaseModel):
    """A part of the TuningStudy resource."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def to_document(self) -> dict[str, Any]:
        """Return the JSON document of this part, without fields that are unset or null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
