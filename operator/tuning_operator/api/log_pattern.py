"""A user's regular expression that finds metrics in a line of text.

The engine is RE2 and not Python's `re`: its time grows with the length of the line alone, whatever the pattern, so that
nobody can hang the operator with `(a+)+$`. It has no look-around and no back references, which metrics do not need.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import re2

MAX_PATTERN = 512
"""Characters of a pattern."""

DEFAULT_PATTERN = r"([\w-]+)\s*=\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?|[+-]?(?i:nan|inf(?:inity)?)\b)"
"""Finds `name=value`: whatever Katib's default filter finds, and `nan` and `inf` too, for a training that diverges."""

_MOST_MATCHES = 64
"""Matches that are looked for in one line: a search for each of thousands would cost the line's length squared."""

_MOST_MEMORY = 1 << 20
"""Bytes that a compiled pattern may take; RE2 would allow eight times as many."""


class LogPattern:
    """A compiled pattern: `find` yields the names and values of a line, as text that is still to be read."""

    def __init__(self, pattern: str) -> None:
        """Compile a pattern.

        Raises
        ------
        ValueError
            It is no regular expression of RE2, or has not the two groups; the sentence says what to write.
        """
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MOST_MEMORY
        try:
            self._compiled = re2.compile(pattern, options)
        except re2.error as error:
            words = error.args[0]
            reason = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
            raise ValueError(
                f"the pattern is no regular expression of RE2: {reason}; "
                "look-around and back references do not exist there (https://github.com/google/re2/wiki/Syntax)"
            ) from None
        named = self._compiled.groupindex
        self._name, self._value = named.get("name", 1), named.get("value", 2)
        if self._compiled.groups < 2 or self._name == self._value:
            raise ValueError(
                "the pattern must have two groups in parentheses: the first, or (?P<name>…), is the metric's name, "
                "the second, or (?P<value>…), its value"
            )

    def find(self, line: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the name and value of each metric of a line, at most 64."""
        for match in islice(self._compiled.finditer(line), _MOST_MATCHES):
            name, value = match[self._name], match[self._value]
            if name and value:
                yield name, value
