"""Where trials keep their checkpoints: a claim whose volume every trial mounts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import StringConstraints

from tuning_operator.api.model import ResourceModel
from tuning_operator.api.names import CHECKPOINT_PATH, CLAIM_NAME
from tuning_operator.api.sentences import shown

CHECKPOINTS_VOLUME = "tuning-checkpoints"
"""Name of the pod's volume that holds the checkpoints."""


class Checkpoints(ResourceModel):
    """A volume for checkpoints, from which a further attempt at a trial goes on."""

    claim_name: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=CLAIM_NAME)]
    """A PersistentVolumeClaim of the study's namespace, writable for the trials; ReadWriteMany, or all on one node."""
    path: Annotated[str, StringConstraints(min_length=2, max_length=256, pattern=CHECKPOINT_PATH)] = "/checkpoints"
    """Where the training container sees it; each trial has a directory of its own below."""


def check_place(checkpoints: Checkpoints, pod: Mapping[str, Any], container: Mapping[str, Any]) -> None:
    """Raise ValueError, with a sentence, when the template already uses the volume's name or its place.

    `pod` is the template's pod spec, `container` the one in it that trains.
    """
    for volume in pod.get("volumes") or ():
        if volume.get("name") == CHECKPOINTS_VOLUME:
            raise ValueError(
                f"`template.spec.volumes` has a volume named {CHECKPOINTS_VOLUME}, which is what `checkpoints` adds; "
                "rename it, or remove `checkpoints`"
            )
    for mount in container.get("volumeMounts") or ():
        place = mount.get("mountPath")
        if isinstance(place, str) and PurePosixPath(place) == PurePosixPath(checkpoints.path):
            raise ValueError(
                f"`template` mounts {shown(mount.get('name'))} at {shown(place)}, the place of `checkpoints`; "
                "remove that mount, or give `checkpoints` another `path`"
            )
