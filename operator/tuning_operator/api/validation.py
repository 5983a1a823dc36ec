"""From a document to a TuningStudy, with all problems as sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tuning_operator.api.names import API_VERSION, KIND
from tuning_operator.api.study import TuningStudy
from tuning_operator.errors import InvalidStudy


def parse_study(document: Any) -> TuningStudy:
    """Return the study that a document (an object of the API server, or a parsed YAML file) describes.

    Raises
    ------
    InvalidStudy
        The document is no TuningStudy, or its spec breaks a rule. All problems are named at once.
    """
    if not isinstance(document, Mapping):
        raise InvalidStudy([f"the document must be a {KIND} object, not a {type(document).__name__}"])
    if document.get("kind") != KIND or document.get("apiVersion") != API_VERSION:
        raise InvalidStudy(
            [
                f"this is {document.get('apiVersion')!r} {document.get('kind')!r}; "
                f"write `apiVersion: {API_VERSION}` and `kind: {KIND}`"
            ]
        )
    try:
        return TuningStudy.model_validate(dict(document))
    except ValidationError as error:
        raise InvalidStudy([_sentence(detail) for detail in error.errors(include_url=False)]) from None


def _sentence(detail: Any) -> str:
    place = _place(detail["loc"])
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        return f"{place}: unknown field; check its spelling and indentation"
    if kind == "missing":
        return f"{place}: required, but missing"
    if kind == "value_error":
        return f"{place}: {message.removeprefix('Value error, ')}"
    given = detail.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{place}: {message[:1].lower()}{message[1:]}{shown[:200]}"


def _place(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "the study"
