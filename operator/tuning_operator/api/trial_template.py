"""How a trial is run: the pod's template and its deadlines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from tuning_contract.environment import RESERVED_PREFIXES
from tuning_operator.api.durations import Duration
from tuning_operator.api.model import ResourceModel

TRAINER = "trainer"
"""Name of the container that trains, where a template has several."""


class Deadlines(ResourceModel):
    """How long a trial may take, by the clock, before it counts as failed."""

    start: Duration | None = "30m"
    """From the Job's creation to its first running pod; null: for ever."""
    run: Duration | None = None
    """From the first running pod to the end; unset: for ever."""


class Trial(ResourceModel):
    """How each trial is run."""

    deadlines: Deadlines = Deadlines()
    """When a trial counts as failed."""
    prune_grace: Duration = "30s"
    """A pod that is still there this long after its pruning was decided is deleted."""
    ttl_after_finished: Duration = "1h"
    """How long a finished trial's Job and its log stay."""
    template: dict[str, Any]
    """An ordinary PodTemplateSpec, as in a Job. The container named `trainer` (or the only one) trains."""

    @model_validator(mode="after")
    def _template_has_a_trainer(self) -> Trial:
        container = trainer_container(self.template)
        for variable in container.get("env") or ():
            name = variable.get("name") if isinstance(variable, Mapping) else None
            if isinstance(name, str) and name.startswith(RESERVED_PREFIXES):
                raise ValueError(
                    f"`template` sets {name[:128]} in the container's env, but names that begin with "
                    f"{' or '.join(RESERVED_PREFIXES)} are the operator's; rename it"
                )
        return self


def trainer_container(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the container that trains: the one named `trainer`, else the only one.

    Raises
    ------
    ValueError
        The template has no such container; the sentence says what to do.
    """
    spec = template.get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    if not isinstance(containers, list) or not containers or not all(isinstance(c, Mapping) for c in containers):
        raise ValueError("`template.spec.containers` must be a list with the container that trains")
    candidates: list[Mapping[str, Any]] = containers
    named = [container for container in candidates if container.get("name") == TRAINER]
    if len(named) == 1:
        return named[0]
    if len(containers) == 1:
        return candidates[0]
    raise ValueError(f"`template` has {len(containers)} containers; name the one that trains `{TRAINER}`")
