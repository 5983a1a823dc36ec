"""YAML as kubectl reads it, so that a file means the same on this machine and on a cluster.

kubectl follows YAML 1.1 where PyYAML does not (`1e-5` is a number, `y` is true), and not where PyYAML does (`12:30` and
dates are strings). What it reads becomes JSON: keys are strings, and a number without a fraction is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

from tuning_operator.api.scalars import as_stored

_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **{word: True for text in ("y", "yes", "true", "on") for word in (text, text.capitalize(), text.upper())},
    **{word: False for text in ("n", "no", "false", "off") for word in (text, text.capitalize(), text.upper())},
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}


class YamlError(ValueError):
    """A text is no YAML, or says something that JSON can't; `str()` names line and column."""


def read_documents(text: str) -> list[Any]:
    """Return the documents of a YAML (or JSON) text as JSON values; empty ones are left out.

    Raises
    ------
    YamlError
        The text can't be read, holds a key twice, or a value that JSON has not.
    """
    try:
        return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(where + str(error.problem or error.context)) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise YamlError(str(error).partition("\n")[0] or "it nests too deeply") from None


def scalar_text(value: bool | int | float | str) -> str:
    """Return a value as it is written in YAML, with quotes only where it would be read as something else."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", value) and value not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


class _Loader(yaml.SafeLoader):
    """Plain scalars by kubectl's rules; everything else is PyYAML's."""

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        plain = node.style is None and node.tag == "tag:yaml.org,2002:str" and not getattr(node, "has_tag", False)
        return self._plain(str(value), node) if plain else value

    def compose_scalar_node(self, anchor: dict[Any, Any]) -> Any:
        explicit = self.peek_event().tag is not None  # type: ignore[no-untyped-call]
        node: Any = super().compose_scalar_node(anchor)
        node.has_tag = explicit
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "this must be a mapping", node.start_mark)
        self._refuse_repeated(node)
        self.flatten_mapping(node)  # replaces merge keys by what they stand for
        # Keys become text before they meet in a dict, where 1 and true would be the same.
        return {self._key(key): self.construct_object(value, deep=deep) for key, value in node.value}

    def construct_yaml_float(self, node: Any) -> float | int:
        return as_stored(super().construct_yaml_float(node))

    def _refuse_repeated(self, node: Any) -> None:
        keys = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen: set[str] = set()
        for key in keys:
            if (name := self._key(key)) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
            seen.add(name)

    def _key(self, node: Any) -> str:
        value = self.construct_object(node, deep=True)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return str(value)
        raise yaml.constructor.ConstructorError(None, None, "a key must be a string", node.start_mark)

    def _plain(self, text: str, node: Any) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        value = plain_value(text)
        try:
            return value if isinstance(value, str) else as_stored(value)
        except ValueError:
            problem = f"{text} is not a number that JSON knows"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


def plain_value(text: str) -> int | float | str:
    """Return the number that an unquoted scalar is, or the scalar itself."""
    if text.lower() in (".nan", ".inf", "+.inf", "-.inf"):
        return float(text.replace(".", "", 1))
    digits = text.replace("_", "")
    if text[:1] in "+-.0123456789" and text[:1]:
        if re.fullmatch(r"[-+]?[0-9]+", digits):
            return int(digits, 8) if _is_octal(digits) else int(digits)
        if re.fullmatch(r"[-+]?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", digits):
            return int(digits, 0)
        if _FLOAT.fullmatch(digits):
            return _finite(text, digits)
    return text


def _is_octal(digits: str) -> bool:
    return re.fullmatch(r"[-+]?0[0-7]+", digits) is not None


def _finite(text: str, digits: str) -> float | str:
    """A number beyond the largest float stays text."""
    number = float(digits)
    return text if number in (float("inf"), float("-inf")) else number


# Nothing but merge keys is recognised by PyYAML's own rules.
_Loader.yaml_implicit_resolvers = {"<": [("tag:yaml.org,2002:merge", re.compile("^<<$"))]}
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
