"""The files in the repository are those that the models give."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tuning_operator.api.crd import study_schema
from tuning_operator.api.generate import CRD_FILES, REFERENCE_FILE, main, stale_files

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what is generated."""
    for path in (*CRD_FILES, REFERENCE_FILE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_the_generated_files_are_up_to_date() -> None:
    assert stale_files(ROOT) == []


def test_the_check_names_stale_and_missing_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crd, copy = (project / path for path in CRD_FILES)
    crd.unlink()
    page = project / REFERENCE_FILE
    page.write_text(page.read_text().replace("`spec.maxTrials`", "`spec.trials`"))
    assert main([str(project), "--check"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [f"{path} is not what the models give; run `make generate` and commit it" for path in (crd, page)]
    assert copy.is_file()


def test_generating_makes_the_check_pass(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / CRD_FILES[0]).unlink()
    (project / CRD_FILES[1]).write_text("stale")
    assert main([str(project)]) == 0
    assert main([str(project), "--check"]) == 0
    assert capsys.readouterr().err == ""


def test_text_around_the_tables_is_kept(project: Path) -> None:
    page = project / REFERENCE_FILE
    page.write_text("Mine.\n" + page.read_text())
    main([str(project)])
    assert page.read_text().startswith("Mine.\n# TuningStudy")


def test_every_list_map_and_text_is_bounded() -> None:
    assert list(_unbounded(study_schema()["properties"]["spec"], "spec")) == []
    assert list(_unbounded(study_schema()["properties"]["status"], "status")) == []


def test_every_field_is_described() -> None:
    for part in ("spec", "status"):
        assert list(_undescribed(study_schema()["properties"][part], part)) == []


def _unbounded(schema: dict[str, Any], path: str) -> Any:
    kind = schema.get("type")
    if kind == "string" and "maxLength" not in schema and "enum" not in schema:
        yield path
    if kind == "array" and "maxItems" not in schema:
        yield path
    # The pod's template is bounded by the size of an object alone.
    if (
        kind == "object"
        and "properties" not in schema
        and "maxProperties" not in schema
        and path != "spec.trial.template"
    ):
        yield path
    for name, below in _below(schema):
        yield from _unbounded(below, f"{path}.{name}")


def _undescribed(schema: dict[str, Any], path: str) -> Any:
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            yield f"{path}.{name}"
    for name, below in _below(schema):
        yield from _undescribed(below, f"{path}.{name}")


def _below(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    below = list(schema.get("properties", {}).items())
    return below + [(key, schema[key]) for key in ("items", "additionalProperties") if key in schema]
