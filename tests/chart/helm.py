"""The helm binary as a few functions on Python values."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.binaries import ASSETS_VARIABLE

CHART = Path(__file__).parents[2] / "charts" / "tuning-operator"
VALUES = Path(__file__).parent / "values"
VALUES_FILES = sorted(VALUES.glob("*.yaml"))
"""Each turns on another part of the chart."""

Manifest = dict[str, Any]

ADVICE = (
    f"install Helm 3 (https://helm.sh/docs/intro/install) on the PATH or into the folder that {ASSETS_VARIABLE} names"
)


class MissingHelm(Exception):
    """There is no helm on this machine; the message says how to get it."""


class HelmFailed(Exception):
    """helm ended with an error; the message has what it printed."""


def find_helm() -> Path:
    """The helm binary beside Kubernetes' own, else on the PATH. Raises MissingHelm."""
    folders = os.pathsep.join(filter(None, (os.environ.get(ASSETS_VARIABLE), os.environ.get("PATH"))))
    found = shutil.which("helm", path=folders)
    if not found:
        raise MissingHelm(f"There is no helm to render the chart with: {ADVICE}.")
    return Path(found)


class Helm:
    """Calls of one helm binary; without a kubeconfig nothing is asked of a cluster."""

    def __init__(self, binary: Path, home: Path, kubeconfig: Path | None = None) -> None:
        self._binary = binary
        self._home = home
        self._kubeconfig = kubeconfig
        self._rendered: dict[str, str] = {}

    def call(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """What `helm <arguments>` prints, with `values` as a values file. Raises HelmFailed."""
        # An own home: the developer's repositories, plugins and cluster must not matter.
        environment = {"PATH": os.defpath, "HOME": str(self._home)}
        if self._kubeconfig:
            environment["KUBECONFIG"] = str(self._kubeconfig)
        command = [str(self._binary), *arguments, *([] if values is None else ["--values", "-"])]
        given = None if values is None else yaml.safe_dump(dict(values))
        done = subprocess.run(command, input=given, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            raise HelmFailed(f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def render(
        self, values: Mapping[str, Any] | None = None, release: str = "tuning", namespace: str = "ops"
    ) -> list[Manifest]:
        """The objects of a release; the same release again is answered from memory, with new objects."""
        key = json.dumps([values, release, namespace])
        if key not in self._rendered:
            call = ("template", release, str(CHART), "--namespace", namespace)
            self._rendered[key] = self.call(*call, values=values)
        return [document for document in yaml.load_all(self._rendered[key], yaml.CSafeLoader) if document]


def load_values(file: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(file.read_text()) or {}
    return values


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def the(manifests: list[Manifest], kind: str) -> Manifest:
    """The only object of its kind."""
    (found,) = of_kind(manifests, kind)
    return found


def pod_spec(manifests: list[Manifest]) -> Manifest:
    """The operator's pod."""
    spec: Manifest = the(manifests, "Deployment")["spec"]["template"]["spec"]
    return spec
