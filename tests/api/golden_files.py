"""The golden files: studies as people write them, beside what becomes of them.

`UPDATE_GOLDEN=1 pytest tests/api` rewrites what becomes of them; look at the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
VALID = sorted((GOLDEN / "valid").glob("*.yaml"))
"""Each beside a .json file with its normalised spec."""
INVALID = sorted((GOLDEN / "invalid").glob("*.yaml"))
"""Each beside a .txt file with the sentences; its first line tells what the API server's answer contains."""
EXAMPLES = sorted((GOLDEN.parents[2] / "examples").glob("*.yaml"))

_API_SERVER = "# API server: "
ACCEPTED = "accepts"
"""Only the operator can say what is wrong."""


def api_server_says(path: Path) -> str:
    """What the API server's answer contains, or `ACCEPTED`."""
    first = path.read_text().splitlines()[0]
    assert first.startswith(_API_SERVER), f"{path} must begin with `{_API_SERVER}…`"
    return first.removeprefix(_API_SERVER)


def assert_golden(path: Path, text: str) -> None:
    """The file has this text, or gets it when UPDATE_GOLDEN is set."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text
