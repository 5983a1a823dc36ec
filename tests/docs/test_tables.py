"""Tables of the pages are tables where pages are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_row_of_a_table_is_a_line(page: Path) -> None:
    lines = page.read_text().splitlines()
    broken = [line for line, next_ in zip(lines, [*lines[1:], ""], strict=True) if _is_cut(line, next_)]
    assert broken == []


def _is_cut(line: str, next_: str) -> bool:
    """Whether a line begins as a row and does not end as one, or is followed by what is neither a row nor a gap."""
    if not line.startswith("|"):
        return False
    return not line.endswith("|") or not (not next_ or next_.startswith(("|", "<!--")))
