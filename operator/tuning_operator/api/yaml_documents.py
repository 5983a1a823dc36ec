"""YAML text -> documents, read as kubectl reads them: the same values, the same refusals, no surprises of Python's."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator
from types import NoneType
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from tuning_operator.api.yaml_scalars import plain_scalar

MAX_DEPTH = 100
"""Levels of lists and maps within each other; a pod's template needs some 15."""

MAX_VALUES = 100_000
"""Values of a file once its aliases are resolved, against a few lines that stand for billions."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
"""The tag that this reader gives to unquoted scalars."""

_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (NoneType,)}
"""What a scalar with one of YAML's own tags must be."""


class UnreadableYaml(ValueError):
    """The text is not what kubectl could read; `line` counts from 1."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


def documents(text: str) -> Iterator[Any]:
    """Yield the values of a text's documents; one without content is None.

    Raises
    ------
    UnreadableYaml
        The text is no YAML, repeats a key, or has no counterpart in JSON.
    """
    try:
        composer = _Composer(text)
        builder = _Builder()
        while composer.check_node():
            node = composer.get_node()
            if node is not None:
                yield builder.build(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableYaml(
            mark.line + 1 if mark else 1, f"this is no YAML: {error.problem or error.context}"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableYaml(line, f"the character {chr(error.character)!r} is not allowed in YAML") from None


class _Composer(Reader, Scanner, Parser, Composer, BaseResolver):
    """Text -> nodes, with a limit of depth and without anchors that contain themselves."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:
        if kind is ScalarNode:
            return _PLAIN if implicit[0] else _TAG + "str"
        return _TAG + ("seq" if kind is SequenceNode else "map")

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self._depth > MAX_DEPTH:
            raise UnreadableYaml(self.line + 1, f"lists and maps are nested deeper than {MAX_DEPTH} levels")
        self._depth += 1
        is_alias = self.check_event(AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        # The end of a list or map is known once it is complete.
        if is_alias and node is not None and node.end_mark is None:
            raise UnreadableYaml(_line(node), "an anchor contains itself")
        return node


class _Builder:
    """Nodes -> values. An alias gives a copy each time, as in JSON."""

    def __init__(self) -> None:
        self._values = 0

    def build(self, node: Node) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise UnreadableYaml(_line(node), f"the file stands for more than {MAX_VALUES:,} values")
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if node.tag not in (_TAG + "seq", _TAG + "map"):
            raise UnreadableYaml(_line(node), f"the tag {node.tag} has no meaning in Kubernetes; remove it")
        return self._mapping(node) if isinstance(node, MappingNode) else [self.build(item) for item in node.value]

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        values: dict[str, Any] = {}
        written: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                values.update(self._merged(value_node))
                continue
            key = _key(key_node)
            if key in written:
                raise UnreadableYaml(_line(key_node), f"the key {key[:120]!r} stands twice; remove one")
            written.add(key)
            values[key] = self.build(value_node)
        return values

    def _merged(self, node: Node) -> dict[str, Any]:
        """The first of several maps wins."""
        maps = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for each in reversed(maps):
            if not isinstance(each, MappingNode):
                raise UnreadableYaml(_line(each), "`<<` needs a map, or a list of maps")
            merged.update(self.build(each))
        return merged


def _scalar(node: ScalarNode) -> Any:
    text = _text(node)
    if node.tag == _TAG + "str":
        return text
    if node.tag == _TAG + "binary":
        try:
            return base64.b64decode(text, validate=False).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise UnreadableYaml(
                _line(node), "this !!binary is not base64 of UTF-8 text; write the text itself"
            ) from None
    value = plain_scalar(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableYaml(_line(node), f"{text} is no number that JSON has; write a finite one")
    if node.tag != _PLAIN and not isinstance(value, _TYPES.get(node.tag.removeprefix(_TAG), ())):
        raise UnreadableYaml(
            _line(node), f"the tag {node.tag.replace(_TAG, '!!')} does not fit {text[:120]!r}; remove it"
        )
    return value


def _text(node: ScalarNode) -> str:
    """JSON writes characters beyond 16 bits as two escapes; one half alone is no text."""
    try:
        return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise UnreadableYaml(_line(node), "an escape stands for half a character; write the character itself") from None


def _key(node: Node) -> str:
    """JSON's keys are strings: the others become what kubectl makes of them."""
    if not isinstance(node, ScalarNode):
        raise UnreadableYaml(_line(node), "a key must be a string, not a list or a map")
    value = _scalar(node)
    if value is None:
        raise UnreadableYaml(_line(node), "a key must not be null")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        raise UnreadableYaml(_line(node), f"the key {node.value[:120]} is a number; put it into quotes")
    return str(value)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
