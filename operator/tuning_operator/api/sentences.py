"""What pydantic finds wrong, as sentences for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tuning_operator.api.names import IN_WORDS

MAX_SENTENCES = 20
"""Problems that are named one by one; a file with more has one cause, or is no study at all."""

YAML_BOOLEANS = "y, n, yes, no, on and off"
"""Texts that become booleans where they have no quotes."""

_WIDEST = 120
"""Characters of a user's text that are repeated in a sentence."""

_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "required, but missing",
    "extra_forbidden": lambda _: "unknown field; check its spelling and indentation",
    "string_type": lambda _: "must be a string; put it into quotes",
    "int_type": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_type": lambda _: "must be true or false",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be an object with fields",
    "model_type": lambda _: "must be an object with fields",
    "enum": lambda context: f"must be {context['expected']}",
    "literal_error": lambda context: f"must be {context['expected']}",
    "too_short": lambda context: f"must have at least {_counted(context['min_length'], 'item')}",
    "too_long": lambda context: f"must have at most {_counted(context['max_length'], 'item')}",
    "string_too_short": lambda context: f"must have at least {_counted(context['min_length'], 'character')}",
    "string_too_long": lambda context: f"must have at most {_counted(context['max_length'], 'character')}",
    "string_pattern_mismatch": lambda context: IN_WORDS.get(context["pattern"], f"must match {context['pattern']}"),
    "greater_than": lambda context: f"must be above {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
}
"""pydantic's kind of an error -> what to say of it."""


def problems(error: ValidationError, below: str = "", whole: str = "the study") -> list[str]:
    """Return a sentence for each error, at most `MAX_SENTENCES` and a last one that counts the rest.

    `below` is the path of what was validated, `whole` what it is called where there is none.
    """
    details = error.errors(include_url=False)
    sentences = [_sentence(detail, below, whole) for detail in details[:MAX_SENTENCES]]
    if len(details) > MAX_SENTENCES:
        sentences.append(f"and {len(details) - MAX_SENTENCES} more problems")
    return sentences


def shown(value: Any) -> str:
    """Return a user's value as one line of printable text, cut to a readable width."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    # A huge integer has no decimal text in Python, a huge string needs no escaping to its end.
    if isinstance(value, int) and abs(value) >= 2**64:
        return "a whole number of more than 64 bits"
    text = repr(value[: _WIDEST + 1] if isinstance(value, str) else value)
    return text if len(text) <= _WIDEST else text[:_WIDEST] + "…"


def one_line(text: str) -> str:
    """Return a user's text on one line of printable characters, cut to a readable width, without quotes."""
    cut = text if len(text) <= _WIDEST else text[:_WIDEST] + "…"
    return cut if cut.isprintable() else repr(cut)[1:-1]


def place(location: Sequence[int | str]) -> str:
    """Return a path like `spec.parameters[2].low`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{one_line(part)}"
    return text.removeprefix(".")


def _sentence(detail: Any, below: str, whole: str) -> str:
    # A key of a map is marked with a part of its own.
    location = [part for part in detail["loc"] if part != "[key]"]
    where = ".".join(part for part in (below, place(location)) if part) or whole
    kind, message = detail["type"], str(detail["msg"])
    if kind == "value_error":
        return f"{where}: {message.removeprefix('Value error, ')}"
    say = _SENTENCES.get(kind)
    sentence = say(detail.get("ctx", {})) if say else message[:1].lower() + message[1:]
    given = detail.get("input")
    if kind == "int_type" and isinstance(given, float) and abs(given) >= 2**63:  # what YAML makes of more than 64 bits
        sentence = "must be a smaller whole number"
    if kind == "string_type" and isinstance(given, bool):
        sentence += f" (YAML reads {YAML_BOOLEANS} as true and false)"
    elif kind != "extra_forbidden" and isinstance(given, str | int | float):
        sentence += f" (given: {shown(given)})"
    return f"{where}: {sentence}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
