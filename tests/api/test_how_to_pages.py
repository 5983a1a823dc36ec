"""The YAML of the how-to pages is accepted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.builders import spec, spec_document
from tuning_operator.api.yaml_documents import documents

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("*.md"))


def fragments() -> list[Any]:
    """Return the YAML fragments of all pages, each with the page's name and its place there."""
    found = []
    for page in PAGES:
        for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)):
            (document,) = documents(text)
            found.append(pytest.param(document, id=f"{page.stem}-{number}"))
    return found


@pytest.mark.parametrize("fragment", fragments())
def test_a_fragment_is_a_part_of_a_study(fragment: dict[str, Any]) -> None:
    """A page shows a whole study, its `spec`, or some fields of that."""
    assert spec(**_merged(spec_document(), fragment.get("spec", fragment)))


def _merged(base: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the base with the fields in it, objects merged as a merge patch does."""
    both = {name: value for name, value in fields.items() if isinstance(value, dict)}
    return {**base, **fields, **{name: _merged(base.get(name) or {}, value) for name, value in both.items()}}


def test_the_patterns_of_the_page_on_logs_compile() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "metrics-from-logs.md").read_text()
    patterns = re.findall(r"pattern: '([^']+)'", page)
    assert patterns
    for pattern in patterns:
        metrics = {"source": "Logs", "logs": {"pattern": pattern}}
        assert spec(trial={**spec_document()["trial"], "metrics": metrics})
