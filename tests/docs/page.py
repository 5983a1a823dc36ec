"""A page of the documentation as what is done with it: files to write and commands to run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PART = re.compile(
    r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$|^<!-- test: (?P<deed>.+?) -->$", re.MULTILINE | re.DOTALL
)
_FILE = re.compile(r"# (?P<name>[\w.-]+\.ya?ml)\n")
_EXPECTATION = re.compile(r"# (?P<fails>fails )?→ (?P<text>.+)")
_LOOKING = re.compile(
    r"kubectl (-n \S+ |--namespace \S+ )?(get|describe|logs|wait|events|auth)(?=\s|$)"
    r"|tuning (status|trials|best|logs|preview)(?=\s|$)|(curl|grep|cat|ls|jq|sqlite3)(?=\s|$)"
)


@dataclass(frozen=True)
class File:
    """A file that the page shows."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command, and what its output must contain."""

    text: str
    fails: bool = False
    expected: tuple[str, ...] = ()

    @property
    def only_looks(self) -> bool:
        """Whether it may be repeated until it shows what is expected."""
        return _LOOKING.match(self.text) is not None

    def missing(self, output: str) -> list[str]:
        """Return what an output does not contain."""
        return [text for text in self.expected if not _pattern(text).search(output)]


@dataclass(frozen=True)
class Deed:
    """What happens to the reader at this place, and is for the test to bring about: a fault, somebody else's doing."""

    name: str


def steps(page: str) -> Iterator[File | Command | Deed]:
    """Yield what is to be done, in the order of the page."""
    for block in _PART.finditer(page):
        text = block["text"]
        if block["deed"]:
            yield Deed(block["deed"])
        elif block["language"] == "yaml" and (name := _FILE.match(text)):
            yield File(name["name"], text)
        elif block["language"] == "sh":
            yield from _commands(text)


def _commands(block: str) -> Iterator[Command]:
    command: Command | None = None
    for line in block.replace("\\\n", " ").splitlines():
        expectation = _EXPECTATION.fullmatch(line.strip())
        if expectation:
            assert command is not None, f"nothing is run before {line!r}"
            fails = command.fails or expectation["fails"] is not None
            command = Command(command.text, fails, (*command.expected, expectation["text"]))
        elif line.strip() and not line.lstrip().startswith("#"):
            if command is not None:
                yield command
            command = Command(line.strip())
    if command is not None:
        yield command


def _pattern(text: str) -> re.Pattern[str]:
    parts = (r"\s+".join(map(re.escape, part.split())) for part in text.split("…"))
    return re.compile(r"[\s\S]*?".join(parts))
