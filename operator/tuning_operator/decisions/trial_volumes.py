"""What a trial's pod can write to: the study's checkpoints, and `/tmp`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from tuning_operator.api.checkpoints import CHECKPOINTS_VOLUME
from tuning_operator.api.names import study_folder
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import OpenTrial

TEMPORARY_VOLUME = "tuning-tmp"
"""Name of the volume at `/tmp`."""


def checkpoint_dir(study: StudyKey, spec: StudySpec, trial: OpenTrial) -> str | None:
    """Return the directory of a trial's checkpoints, the same for all its attempts; None: the study keeps none.

    A claim can be a share that several namespaces use, and a study can be created again under its name.
    """
    return _directory(study, spec, trial.number, trial.earlier.first)


def resume_from(study: StudyKey, spec: StudySpec, trial: OpenTrial) -> str | None:
    """Return where a trial goes on from whose own directory is empty: from its parent, in every attempt."""
    lineage = trial.lineage
    if lineage.source is not None:
        return _directory(study, spec, lineage.source, lineage.parent_attempt)
    return checkpoint_dir(study, spec, trial) if trial.attempt > trial.earlier.first else None


def _directory(study: StudyKey, spec: StudySpec, number: int, first_attempt: int) -> str | None:
    if spec.trial.checkpoints is None:
        return None
    # What another trial of its number saved lies where it would be otherwise.
    folder = f"{number}" if first_attempt == 1 else f"{number}-{first_attempt}"
    return f"{spec.trial.checkpoints.path}/{study.namespace}/{study_folder(study.name, study.uid)}/{folder}"


def add_volumes(pod: dict[str, Any], container: dict[str, Any], spec: StudySpec) -> None:
    """Mount the whole claim of the checkpoints, and an empty directory at `/tmp` where the root can't be written."""
    if spec.trial.checkpoints is not None:
        claim = {"persistentVolumeClaim": {"claimName": spec.trial.checkpoints.claim_name}}
        _mount(pod, container, CHECKPOINTS_VOLUME, spec.trial.checkpoints.path, claim)
    if _lacks_tmp(container):
        _mount(pod, container, TEMPORARY_VOLUME, "/tmp", {"emptyDir": {}})


def _lacks_tmp(container: dict[str, Any]) -> bool:
    context = container.get("securityContext")
    if not isinstance(context, dict) or context.get("readOnlyRootFilesystem") is not True:
        return False
    places = (mount.get("mountPath") for mount in container.get("volumeMounts") or ())
    return PurePosixPath("/tmp") not in (PurePosixPath(place) for place in places if isinstance(place, str))


def _mount(
    pod: dict[str, Any], container: dict[str, Any], name: str, place: str, source: dict[str, dict[str, str]]
) -> None:
    pod["volumes"] = [*(pod.get("volumes") or ()), {"name": name, **source}]
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), {"name": name, "mountPath": place}]
