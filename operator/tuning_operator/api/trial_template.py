"""How a trial is run: the pod's template and its deadlines."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from tuning_contract.environment import PARAMETER_PREFIX, RESERVED_PREFIXES
from tuning_operator.api.checkpoints import Checkpoints, check_place
from tuning_operator.api.durations import Duration, seconds_of
from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.names import LABEL_VALUE
from tuning_operator.api.retries import Retries
from tuning_operator.api.sentences import shown
from tuning_operator.api.trial_metrics import TrialMetrics

TRAINER = "trainer"
"""Name of the container that trains, where a template has several."""


_EXPANSION = re.compile(r"\$\$|\$\(([^)]*)\)")
"""Kubernetes reads a text from left to right: `$$` is an escaped `$`, `$(NAME)` a variable's value."""


class Deadlines(ResourceModel):
    """How long a trial may take, by the clock, before it counts as failed."""

    start: Duration | None = "30m"
    """From the Job's creation to its first running pod; null: for ever."""
    run: Duration | None = None
    """From the first running pod to the end, without the time that a queue holds the Job; unset: for ever."""
    silence: Duration | None = None
    """From the last report, or the first running pod, to the next report; unset: for ever."""


LabelValue = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=LABEL_VALUE)]


class Queue(ResourceModel):
    """Which queue of Kueue admits the trials' Jobs. While it holds a Job back, its trial waits and no clock runs."""

    kueue: LabelValue
    """Name of a LocalQueue in the study's namespace."""
    priority_class: LabelValue | None = None
    """Name of a WorkloadPriorityClass."""


def _checked(template: dict[str, Any]) -> dict[str, Any]:
    container = trainer_container(template)
    _require_shapes(template, container)
    policy = template["spec"].get("restartPolicy", "Never")
    if policy != "Never":
        raise ValueError(
            f"`spec.restartPolicy` is {shown(policy)}, but a trial's pod runs once; remove it or write Never"
        )
    for variable in _entries(container, "env"):
        name = variable.get("name") if isinstance(variable, Mapping) else None
        if isinstance(name, str) and name.startswith(RESERVED_PREFIXES):
            raise ValueError(
                f"it sets {shown(name)} in the container's `env`, but names that begin with "
                f"{' or '.join(RESERVED_PREFIXES)} are the operator's; rename it"
            )
    _require_objects("`spec.volumes`", template["spec"].get("volumes"))
    _require_objects("`volumeMounts` of the container", container.get("volumeMounts"))
    for field in ("command", "args"):
        for text in _entries(container, field):
            if not isinstance(text, str):
                raise ValueError(f"`{field}` of the container must be strings; put {shown(text)} into quotes")
    return template


def _require_shapes(template: Mapping[str, Any], container: Mapping[str, Any]) -> None:
    """Of the fields to which a trial's Job adds something; whatever else is wrong, the API server says."""
    metadata = _fields(template, "metadata", "metadata")
    for name in ("labels", "annotations"):
        _fields(metadata, name, f"metadata.{name}")
    if not isinstance(template["spec"].get("volumes") or [], list):
        raise ValueError("`spec.volumes` must be a list")
    _entries(container, "volumeMounts")


def _fields(holder: Mapping[str, Any], name: str, place: str) -> Mapping[str, Any]:
    fields = holder.get(name) or {}
    if not isinstance(fields, Mapping):
        raise ValueError(f"`{place}` must be an object, not {shown(fields)}")
    return fields


PodTemplate = Annotated[
    dict[str, Any],
    AfterValidator(_checked),
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""A PodTemplateSpec. The API server checks its fields, by a dry run of the Job; here is what it can't know."""


MAX_RUNS = 100
"""Runs of one trial: repeats times folds."""

ONE_LOG = "`metrics.source` Logs is for trials of one run; report the metrics, or remove `repeats` and `folds`"


class Trial(ResourceModel):
    """How each trial is run."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel("self.folds != 1", "`folds` is 1, but a cross-validation has at least 2; remove it", ".folds"),
                cel(
                    f"self.repeats * (self.folds > 1 ? self.folds : 1) <= {MAX_RUNS}",
                    f"`repeats` times `folds` is above {MAX_RUNS} runs for each trial; lower one of them",
                    ".repeats",
                ),
                cel(
                    "!has(self.parallelRuns) || self.parallelRuns <= self.repeats * (self.folds > 1 ? self.folds : 1)",
                    "`parallelRuns` is above the runs of a trial (`repeats` times `folds`); lower or remove it",
                    ".parallelRuns",
                ),
                cel(
                    "(self.repeats == 1 && self.folds == 0) || self.metrics.source == 'Reports'",
                    ONE_LOG,
                    ".metrics.source",
                ),
            ]
        }
    )

    repeats: Annotated[int, Field(ge=1, le=MAX_RUNS)] = 1
    """How often each trial is trained, each time with another seed; its value is the mean."""
    folds: Annotated[int, Field(ge=0, le=MAX_RUNS)] = 0
    """Folds of a cross-validation, each a run of its own that is told which one it is; 0: none."""
    parallel_runs: Annotated[int, Field(ge=1, le=MAX_RUNS)] | None = None
    """How many runs of a trial there are at a time: the next begins when one has ended; unset: all at once."""
    retries: Retries = Retries()
    """Which failed attempts are tried again."""
    metrics: TrialMetrics = TrialMetrics()
    """Where a trial's metrics come from."""
    deadlines: Deadlines = Deadlines()
    """When an attempt counts as failed."""
    prune_grace: Duration = "30s"
    """A pod that is still there this long after its pruning was decided is deleted; with source Logs at once."""
    queue: Queue | None = None
    """The queue that admits the trials' Jobs."""
    ttl_after_finished: Duration = "1h"
    """How long a finished trial's Job and its log stay."""
    checkpoints: Checkpoints | None = None
    """A volume for checkpoints, from which a further attempt at a trial goes on."""
    template: PodTemplate
    """An ordinary PodTemplateSpec, as in a Job. The container named `trainer` (or the only one) trains."""

    @property
    def runs(self) -> int:
        """How many pods a trial has: one for each fold of each repeat."""
        return self.repeats * max(1, self.folds)

    @property
    def runs_at_once(self) -> int:
        """How many of them a trial has at a time."""
        return self.runs if self.parallel_runs is None else self.parallel_runs

    @model_validator(mode="after")
    def _runs_are_possible(self) -> Trial:
        if self.folds == 1:
            raise ValueError("`folds` is 1, but a cross-validation has at least 2; remove it")
        if self.runs > MAX_RUNS:
            raise ValueError(
                f"`repeats` ({self.repeats}) times `folds` ({self.folds}) is above {MAX_RUNS} runs for each trial; "
                "lower one of them"
            )
        if self.runs_at_once > self.runs:
            raise ValueError(
                f"`parallelRuns` ({self.parallel_runs}) is above the runs of a trial ({self.runs}: `repeats` times "
                "`folds`); lower or remove it"
            )
        if self.runs > 1 and self.metrics.read_from_logs is not None:
            raise ValueError(ONE_LOG)
        return self

    @model_validator(mode="after")
    def _checkpoints_have_their_own_place(self) -> Trial:
        if self.checkpoints is not None:
            check_place(self.checkpoints, self.template["spec"], trainer_container(self.template))
        return self

    @property
    def stop_grace_seconds(self) -> float:
        """How long a trial that is to stop has for it; no time at all where its container does not hear of it."""
        return seconds_of(self.prune_grace) if self.metrics.read_from_logs is None else 0.0


def fingerprint(document: Any) -> str:
    """Return a text that two documents share only if they are the same."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


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


GRACE_SECONDS = 30.0
"""Kubernetes' default of `terminationGracePeriodSeconds`."""


def grace_seconds(template: Mapping[str, Any]) -> float:
    """Return how long a pod of the template has to end after it was told to, in seconds."""
    seconds = template["spec"].get("terminationGracePeriodSeconds")
    return float(seconds) if isinstance(seconds, int) and seconds >= 0 else GRACE_SECONDS


def references(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the parameters that `$(PARAM_…)` in the training container's texts refers to."""
    container = trainer_container(template)
    values = (variable.get("value") for variable in _entries(container, "env") if isinstance(variable, Mapping))
    for text in (*_entries(container, "command"), *_entries(container, "args"), *values):
        for name in _EXPANSION.findall(text) if isinstance(text, str) else ():
            if name.startswith(PARAMETER_PREFIX):
                yield name.removeprefix(PARAMETER_PREFIX)


def _entries(container: Mapping[str, Any], field: str) -> list[Any]:
    entries = container.get(field)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ValueError(f"`{field}` of the container must be a list")
    return entries


def _require_objects(place: str, entries: Any) -> None:
    if entries is not None and not (isinstance(entries, list) and all(isinstance(each, Mapping) for each in entries)):
        raise ValueError(f"{place} must be a list of objects with fields")
