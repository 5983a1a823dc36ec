from __future__ import annotations

from typing import Any

import pytest

from tests.support.process_node.expansion import CannotStart, command_line, environment, expand

POD: dict[str, Any] = {
    "metadata": {"name": "pod-1", "namespace": "lab", "uid": "u1", "labels": {"example.com/trial": "7"}},
    "spec": {"nodeName": "node-1"},
}


async def lookup(plural: str, name: str) -> dict[str, str] | None:
    return {"colour": "blue"} if (plural, name) == ("configmaps", "paint") else None


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("x$(A)$(B)y", "x12y"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$(A", "$(A"),
        ("$A ${A} 5$", "$A ${A} 5$"),
        ("$$", "$"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_command_and_args_see_the_containers_variables() -> None:
    container = {"image": "any", "command": ["train", "$(RATE)"], "args": ["--epochs=$(EPOCHS)"]}
    assert command_line(container, {"RATE": "0.1", "EPOCHS": "3"}, {}) == ["train", "0.1", "--epochs=3"]


@pytest.mark.parametrize(
    "image",
    ["example.com:5000/team/trainer", "example.com:5000/team/trainer:v1", "example.com:5000/team/trainer@sha256:0"],
)
def test_an_image_without_a_command_in_the_pod_runs_what_the_node_was_told(image: str) -> None:
    commands = {"example.com:5000/team/trainer": ["python", "-m", "trainer"]}
    assert command_line({"image": image, "args": ["--fast"]}, {}, commands) == ["python", "-m", "trainer", "--fast"]


def test_an_image_that_nobody_knows_cannot_start() -> None:
    with pytest.raises(CannotStart, match="trainer:v1") as refused:
        command_line({"image": "trainer:v1"}, {}, {})
    assert refused.value.reason == "CreateContainerError"


async def test_a_variable_sees_those_above_it_only() -> None:
    container = {
        "env": [
            {"name": "A", "value": "$(B)"},
            {"name": "B", "value": "b"},
            {"name": "C", "value": "$(B)c"},
            {"name": "D"},
        ]
    }
    assert await environment(container, POD, lookup) == {"A": "$(B)", "B": "b", "C": "bc", "D": ""}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "pod-1"),
        ({"fieldRef": {"fieldPath": "metadata.labels['example.com/trial']"}}, "7"),
        ({"fieldRef": {"fieldPath": "metadata.annotations['absent']"}}, ""),
        ({"fieldRef": {"fieldPath": "spec.nodeName"}}, "node-1"),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "127.0.0.1"),
        ({"configMapKeyRef": {"name": "paint", "key": "colour"}}, "blue"),
    ],
)
async def test_a_variable_can_come_from_a_reference(source: dict[str, Any], value: str) -> None:
    assert await environment({"env": [{"name": "X", "valueFrom": source}]}, POD, lookup) == {"X": value}


async def test_an_optional_reference_that_is_missing_leaves_the_variable_out() -> None:
    source = {"secretKeyRef": {"name": "absent", "key": "token", "optional": True}}
    assert await environment({"env": [{"name": "X", "valueFrom": source}]}, POD, lookup) == {}


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"secretKeyRef": {"name": "absent", "key": "token"}}, 'secret "absent" not found'),
        ({"configMapKeyRef": {"name": "paint", "key": "shade"}}, 'find key shade in configmap "paint"'),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "resourceFieldRef"),
        ({"fieldRef": {"fieldPath": "metadata.generation"}}, r"metadata\.generation"),
    ],
)
async def test_a_reference_that_cannot_be_resolved_is_a_configuration_error(
    source: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CannotStart, match=complaint) as refused:
        await environment({"env": [{"name": "X", "valueFrom": source}]}, POD, lookup)
    assert refused.value.reason == "CreateContainerConfigError"
