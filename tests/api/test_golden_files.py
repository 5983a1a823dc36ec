"""What studies in YAML become, and what is said of wrong ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.golden_files import EXAMPLES, INVALID, VALID, assert_golden
from tuning_operator.api.crd import study_schema
from tuning_operator.api.reference import leaves
from tuning_operator.api.validation import parse_study
from tuning_operator.api.yaml_files import load_study
from tuning_operator.errors import InvalidStudy


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_file_becomes_its_normalised_spec(path: Path) -> None:
    spec = parse_study(load_study(path)).spec.to_document()
    assert_golden(path.with_suffix(".json"), json.dumps(spec, indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("path", [*VALID, *EXAMPLES], ids=lambda path: path.stem)
def test_a_normalised_spec_means_the_same_study(path: Path) -> None:
    document = load_study(path)
    spec = parse_study(document).spec
    assert parse_study({**document, "spec": spec.to_document()}).spec == spec


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_file_is_refused_with_sentences(path: Path) -> None:
    with pytest.raises(InvalidStudy) as refusal:
        parse_study(load_study(path))
    assert_golden(path.with_suffix(".txt"), "".join(f"{problem}\n" for problem in refusal.value.problems))


def test_golden_files_and_examples_use_every_field_of_the_spec() -> None:
    used: set[str] = set()
    for path in [*VALID, *EXAMPLES]:
        used |= _paths(load_study(path)["spec"])
    unused = set(leaves(study_schema()["properties"]["spec"])) - used
    assert not unused, f"no golden file and no example uses {sorted(unused)}"


def _paths(value: object, path: str = "") -> set[str]:
    """The paths of all fields that are set below a value, like `objectives[].metric`."""
    if isinstance(value, dict):
        return {path} | {each for name, below in value.items() for each in _paths(below, f"{path}.{name}".lstrip("."))}
    if isinstance(value, list):
        return {path} | {each for item in value for each in _paths(item, f"{path}[]")}
    return set() if value is None else {path}
