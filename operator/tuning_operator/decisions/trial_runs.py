"""What differs between the pods of a trial with several runs, although their Job has one template.

Kubernetes gives each pod of an Indexed Job its index, and expands variables in the variables after them: so the address
of its reports, its seed and its directory are right in every container, whatever language it speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning_contract.environment import RUN_VARIABLE

COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation of a pod of an Indexed Job, by Kubernetes."""

_RUN = f"$({RUN_VARIABLE})"
_SUFFIXES = {
    "TUNING_REPORT_URL": f"?run={_RUN}",
    "TUNING_PARAMETER_URL": f"?run={_RUN}",
    "TUNING_SEED": _RUN,
    "TUNING_CHECKPOINT_DIR": f"/run-{_RUN}",
    "TUNING_RESUME_FROM": f"/run-{_RUN}",
}
"""What each run's value has behind the trial's."""

_SEEDS_PER_TRIAL = 1000
"""Leaves room for a run of two digits behind a trial's seed, within the 31 bits that every library takes."""


def indexed(runs: int, at_once: int) -> dict[str, Any]:
    """Return what makes a Job one pod for each run, so many at once; nothing where there is only one."""
    return {} if runs == 1 else {"completionMode": "Indexed", "completions": runs, "parallelism": at_once}


def base_seed(seed: int, runs: int) -> int:
    """Return what is written as a trial's seed, before the run's number is put behind it; not 0, for `07` is octal."""
    return seed if runs == 1 else 1 + seed // _SEEDS_PER_TRIAL


def container_variables(variables: Mapping[str, str], runs: int) -> list[dict[str, Any]]:
    """Return a trial's variables as entries of a container's `env`.

    Kubernetes expands `$(X)` in values too, and makes one `$` of two: a parameter's text is to arrive as it is.
    """
    escaped = {name: value.replace("$", "$$") for name, value in variables.items()}
    if runs == 1:
        return [{"name": name, "value": value} for name, value in escaped.items()]
    del escaped[RUN_VARIABLE]
    index = {"fieldRef": {"fieldPath": f"metadata.annotations['{COMPLETION_INDEX}']"}}
    of_run = [{"name": name, "value": value + _SUFFIXES.get(name, "")} for name, value in escaped.items()]
    return [{"name": RUN_VARIABLE, "valueFrom": index}, *of_run]
