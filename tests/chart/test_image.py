"""The operator's image fits the chart and the project's requirements."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.chart.helm import CHART, Helm, pod_spec

ROOT = CHART.parents[1]
DOCKERFILE = (ROOT / "operator" / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    str(canonicalize_name(name)): Version(version)
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "operator" / "constraints.txt").read_text(), re.MULTILINE
    )
}


def _required(distribution: str, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What an installed distribution needs on this platform."""
    for text in importlib.metadata.requires(distribution) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def test_every_dependency_of_the_operator_is_pinned_to_a_version_that_fits() -> None:
    waiting = list(_required("tuning-operator", ("operator",)))
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = str(canonicalize_name(requirement.name)), tuple(sorted(requirement.extras))
        assert name in PINS, f"operator/constraints.txt has no {name}; its head says how it is made"
        assert PINS[name] in requirement.specifier, f"operator/constraints.txt has {name} {PINS[name]}: {requirement}"
        if (name, extras) not in seen:
            seen.add((name, extras))
            waiting.extend(_required(name, extras) if _is_installed_as_pinned(name) else ())


def _is_installed_as_pinned(name: str) -> bool:
    """Only then what it needs here is what it needs in the image."""
    return Version(importlib.metadata.version(name)) == PINS[name]


@pytest.mark.parametrize("unwanted", ["kubernetes-asyncio", "torch", "scikit-learn", "pytest"])
def test_the_image_has_nothing_that_the_operator_does_not_use(unwanted: str) -> None:
    assert unwanted not in PINS


def test_the_chart_runs_the_image_as_its_own_user(helm: Helm) -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    context = pod_spec(helm.render())["securityContext"]
    assert user == (str(context["runAsUser"]), str(context["runAsGroup"]))


def test_the_image_names_the_ports_of_the_pod(helm: Helm) -> None:
    (exposed,) = re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)
    (container,) = pod_spec(helm.render())["containers"]
    assert exposed.split() == [str(port["containerPort"]) for port in container["ports"]]


def test_the_image_starts_the_operator_and_the_chart_does_not_say_otherwise(helm: Helm) -> None:
    assert 'ENTRYPOINT ["tuning", "operator"]' in DOCKERFILE
    (container,) = pod_spec(helm.render())["containers"]
    assert not {"command", "args"} & container.keys()
    assert "tuning" in PROJECT["scripts"]


def test_chart_and_project_have_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == PROJECT["version"]
