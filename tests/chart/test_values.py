"""Wrong values are refused with a sentence, and right ones are explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from tests.chart.helm import CHART, VALUES_FILES, Helm, HelmFailed, load_values

VALUES_TEXT = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def _paths(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """`a.b` for each value that is not itself a group of values of the schema."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        groups = _schema_of(path).get("properties")
        if isinstance(value, dict) and groups and name != "resources":
            yield from _paths(value, f"{path}.")
        else:
            yield path


def _schema_of(path: str) -> dict[str, Any]:
    schema: dict[str, Any] = SCHEMA
    for name in path.split("."):
        schema = schema["properties"][name]
    return schema


PATHS = list(_paths(yaml.safe_load(VALUES_TEXT)))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"replica": 1}, "'replica' not allowed"),
        ({"image": {"tags": "1"}}, "'tags' not allowed"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"imagePullSecrets": ["name"]}, "/imagePullSecrets/0"),
        ({"replicas": "1"}, "/replicas"),
        ({"watchNamespaces": "team-a"}, "/watchNamespaces"),
        ({"watchNamespaces": ["team-a", "team-a"]}, "/watchNamespaces"),
        ({"watchNamespaces": ["Team A"]}, "/watchNamespaces/0"),
        ({"persistence": {"size": "1 GB"}}, "/persistence/size"),
        ({"persistence": {"accessModes": []}}, "/persistence/accessModes"),
        ({"settings": {"logFormat": "xml"}}, "/settings/logFormat"),
        ({"settings": {"resyncSeconds": 0}}, "/settings/resyncSeconds"),
        ({"settings": {"storageUrl": "sqlite://"}}, "'storageUrl' not allowed"),
        ({"extraEnv": [{"value": "x"}]}, "/extraEnv/0"),
        ({"reports": {"authentication": "None"}}, "/reports/authentication"),
        ({"rbac": {"readers": [{"kind": "Team", "name": "a"}]}}, "/rbac/readers/0/kind"),
        ({"metrics": {"serviceMonitor": {"interval": "soon"}}}, "/metrics/serviceMonitor/interval"),
        ({"resources": {"limits": {"memory": True}}}, "/resources/limits/memory"),
    ],
    ids=lambda case: case if isinstance(case, str) else None,
)
def test_the_schema_refuses_what_is_misspelled_or_of_the_wrong_type(
    helm: Helm, values: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(HelmFailed, match=re.escape(complaint)):
        helm.render(values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"replicas": 2}, "SQLite has one writer: set database.existingSecret"),
        (
            {"database": {"existingSecret": "a"}, "persistence": {"existingClaim": "b"}},
            "the history is kept in one place: remove one of them",
        ),
        (
            {"persistence": {"enabled": False, "existingClaim": "b"}},
            "set it to true to use the claim, or remove the claim",
        ),
        ({"serviceAccount": {"create": False}}, "name the account that the operator runs as"),
        ({"extraEnv": [{"name": "TUNING_OPERATOR_LEASE_NAME", "value": "x"}]}, "use the values under settings"),
    ],
    ids=["two writers", "two histories", "an unused claim", "no account", "a setting as a variable"],
)
def test_a_contradiction_is_refused_with_a_way_out(helm: Helm, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmFailed, match=re.escape(sentence)):
        helm.render(values)


def test_a_chart_that_includes_this_one_may_set_global_values(helm: Helm) -> None:
    assert helm.render({"global": {"anything": True}})


def test_the_schema_describes_exactly_the_values() -> None:
    def agree(values: dict[str, Any], schema: dict[str, Any], where: str) -> None:
        if "properties" not in schema or where.endswith("resources."):
            return
        assert schema["additionalProperties"] is False, where
        assert values.keys() == schema["properties"].keys() - {"global"}, where
        for name, value in values.items():
            if isinstance(value, dict):
                agree(value, schema["properties"][name], f"{where}{name}.")

    agree(yaml.safe_load(VALUES_TEXT), SCHEMA, "")


@pytest.mark.parametrize("path", PATHS)
def test_every_value_has_an_example_that_the_schema_accepts(path: str) -> None:
    name = path.split(".")[-1]
    # The last one before the value itself, for some names occur in two groups.
    before = VALUES_TEXT[: _position(path)]
    examples = re.findall(rf"^ *# Example: {name}: (.*)$", before, re.MULTILINE)
    assert examples, f"values.yaml has no example of {path}"
    schema = {**_schema_of(path), "definitions": SCHEMA["definitions"]}
    jsonschema.validate(yaml.safe_load(examples[-1]), schema)


def _position(path: str) -> int:
    """Where a value stands in values.yaml."""
    position = 0
    for depth, name in enumerate(path.split(".")):
        found = re.compile(rf"^{'  ' * depth}{name}:", re.MULTILINE).search(VALUES_TEXT, position)
        assert found, path
        position = found.end()
    return position


@pytest.mark.parametrize("path", PATHS)
def test_every_value_is_in_the_readme(path: str) -> None:
    group, _, name = path.rpartition(".")
    rows = [row for row in (CHART / "README.md").read_text().splitlines() if row.startswith("|")]
    named = [row for row in rows if f"`{path}`" in row or (f"`{group}." in row and f"`.{name}`" in row)]
    assert named, f"the chart's README.md does not name {path}"


def test_every_value_but_the_simplest_is_set_by_a_file_of_values() -> None:
    simplest = {"nameOverride", "image.tag", "rbac.create", "serviceAccount.create"}
    given = {path for file in VALUES_FILES for path in _paths(load_values(file))}
    assert set(PATHS) - given <= simplest | {"podSecurityContext", "containerSecurityContext"}
