"""Where output goes: tables to stdout, what is only said to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rich.console import Console

from tuning_operator.cli.options import Output

PIPE_WIDTH = 120
"""Characters of a line where stdout is no terminal and COLUMNS is not set."""


def out() -> Console:
    """Return a console on stdout; colours and width follow the terminal."""
    return Console(file=sys.stdout, width=_width(), highlight=False, markup=False, emoji=False)


def err() -> Console:
    """Return a console on stderr."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def document_text(document: Any, output: Output) -> str:
    """Return a JSON document as JSON or YAML text, with a newline at its end."""
    if output is Output.JSON:
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def _width() -> int | None:
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else PIPE_WIDTH
