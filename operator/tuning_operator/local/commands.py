"""From a Job's manifest to the command line and environment of a local process."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning_operator.api.trial_template import trainer_container
from tuning_operator.errors import JobRefused
from tuning_operator.ports import Manifest


@dataclass(frozen=True)
class LocalCommand:
    """What to start for a trial."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    """The variables that the container sets; the process inherits the runner's others."""


def local_command(manifest: Manifest, machine: Mapping[str, str]) -> LocalCommand:
    """Return the training container's command as Kubernetes would run it.

    `machine` holds variables that are other ones on this machine than on a cluster.

    Raises
    ------
    JobRefused
        The container can't be run without its image or without the cluster; the sentence says what to write.
    """
    container = trainer_container(manifest["spec"]["template"])
    command = [*(container.get("command") or ())]
    if not command:
        raise JobRefused(
            f"the container {container.get('name', '')!r} has no `command`: without a cluster nobody reads its image's "
            "entry point, so write the command into the template"
        )
    environment = dict(machine)
    for variable in container.get("env") or ():
        if variable["name"] not in machine:
            environment[variable["name"]] = _value(variable, environment)
    argv = (*command, *(container.get("args") or ()))
    return LocalCommand(tuple(expand(str(text), environment) for text in argv), environment)


def _value(variable: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    if "valueFrom" in variable:
        raise JobRefused(
            f"the variable {variable['name']} comes from the cluster (valueFrom), which a local run does not have; "
            "give it a `value`, or run the study on a cluster"
        )
    return expand(str(variable.get("value", "")), environment)


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Return a text with its `$(NAME)` replaced as Kubernetes does: `$$` is a `$`, an unknown name stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return environment.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replacement, text)


def process_environment(command: LocalCommand, threads: int) -> dict[str, str]:
    """Return the whole environment of a trial's process: the runner's Python first on the PATH, few threads."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": str(threads), **command.environment}
