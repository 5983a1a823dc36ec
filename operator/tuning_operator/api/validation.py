"""From a document to a TuningStudy, with all problems as sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tuning_operator.api.names import API_VERSION, KIND
from tuning_operator.api.sentences import problems, shown
from tuning_operator.api.study import TuningStudy
from tuning_operator.errors import InvalidStudy

MAX_DEPTH = 100
"""Levels of lists and objects within each other; a pod's template needs some 15."""

MAX_VALUES = 500_000
"""Values of a document in all; what the API server stores (1.5 MB) has fewer."""


def parse_study(document: Any) -> TuningStudy:
    """Return the study that a document (an object of the API server, or a parsed YAML file) describes.

    Raises
    ------
    InvalidStudy
        The document is no TuningStudy, or its spec breaks a rule. All problems are named at once.
    """
    if not isinstance(document, Mapping):
        raise InvalidStudy([f"the document must be a {KIND} object, not a {type(document).__name__}"])
    fields = dict(document)
    _require_json(fields)
    if fields.get("kind") != KIND or fields.get("apiVersion") != API_VERSION:
        raise InvalidStudy(
            [
                f"this is {shown(fields.get('apiVersion'))} {shown(fields.get('kind'))}; "
                f"write `apiVersion: {API_VERSION}` and `kind: {KIND}`"
            ]
        )
    try:
        return TuningStudy.model_validate(fields, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidStudy(problems(error)) from None


def _require_json(document: dict[Any, Any]) -> None:
    """Whatever follows may recurse and compare: only plain JSON of a sane depth and size gets there."""
    level: list[Any] = [document]
    seen = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                _require_text_keys(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif value is not None and not isinstance(value, str | int | float):
                raise InvalidStudy([f"{shown(value)} is a {type(value).__name__}, which JSON has not; write a string"])
            seen += 1
            if seen + len(below) > MAX_VALUES:
                raise InvalidStudy([f"the document has more than {MAX_VALUES:,} values; no study needs so many"])
        level = below
        if not level:
            return
    raise InvalidStudy([f"the document nests lists and objects deeper than {MAX_DEPTH} levels"])


def _require_text_keys(fields: dict[Any, Any]) -> None:
    for key in fields:
        if not isinstance(key, str):
            raise InvalidStudy([f"the key {shown(key)} must be a string; put it into quotes"])
