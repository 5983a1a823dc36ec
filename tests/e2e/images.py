"""The two images, under the names that the chart and the examples have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import yaml

from tests.e2e.commands import ROOT, Shell, StepFailed, step

CHART = ROOT / "charts" / "tuning-operator"
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Image:
    """An image of this project."""

    name: str
    dockerfile: str
    """Path from the project's folder, which is the build's context."""


def images() -> tuple[Image, Image]:
    """The operator's and the trainer's."""
    repository = yaml.safe_load((CHART / "values.yaml").read_text())["image"]["repository"]
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    pod = yaml.safe_load((EXAMPLES / "digits-mlp.yaml").read_text())["spec"]["trial"]["template"]["spec"]
    return (
        Image(f"{repository}:{version}", "operator/Dockerfile"),
        Image(pod["containers"][0]["image"], "trainer_image/Dockerfile"),
    )


def build_with_installed_tool() -> None:
    """Builds both images with Docker or Podman, into whatever store that tool has."""
    tool = next(filter(shutil.which, ("docker", "podman")), None)
    if tool is None:
        raise StepFailed("neither docker nor podman is on the PATH: install one of them to build images")
    for image in images():
        with step(f"build {image.name} with {tool}"):
            Shell().run(f"{tool} build --file {image.dockerfile} --tag {image.name} .")
