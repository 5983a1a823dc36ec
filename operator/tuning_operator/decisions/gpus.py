"""How many GPUs a trial's pods ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tuning_operator.api.trial_template import Trial

_GPU_RESOURCE = re.compile(r"^[a-z0-9.-]+/(gpu|mig-[a-z0-9.]+)$")
"""Names of device plugins' resources: nvidia.com/gpu, amd.com/gpu, nvidia.com/mig-1g.5gb …"""


def gpus_of_trial(trial: Trial) -> int:
    """Return the GPUs that a trial holds: those of all pods that it has at once."""
    return gpus_requested(trial.template) * trial.runs_at_once


def gpus_requested(template: Mapping[str, Any]) -> int:
    """Return the GPUs in the limits of a pod template's containers; what can't be read counts as none."""
    containers = (template.get("spec") or {}).get("containers") or ()
    return sum(_gpus(container) for container in containers if isinstance(container, Mapping))


def _gpus(container: Mapping[str, Any]) -> int:
    resources = container.get("resources")
    limits = resources.get("limits") if isinstance(resources, Mapping) else None
    if not isinstance(limits, Mapping):
        return 0
    amounts = (amount for name, amount in limits.items() if _GPU_RESOURCE.match(str(name)))
    return sum(int(amount) for amount in amounts if re.fullmatch(r"\d{1,6}", str(amount)))
