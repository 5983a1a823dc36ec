"""Whoever does what a page says sees what it shows."""

from __future__ import annotations

import pytest

from tests.docs.reader import Reader

PAGES = ["how-to/suspend-stop-resume.md"]
"""Pages that need an operator and a namespace alone."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(reader: Reader, page: str) -> None:
    assert reader.read(page) > 5
