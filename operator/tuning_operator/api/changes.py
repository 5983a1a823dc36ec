"""What may change after a study's start, as rules of the API server.

Only a rule at the root sees both `spec` and `status.startTime`. The defaults of the schema are filled in on both sides,
so objects with a default are always there; an object that is compared as a whole is compared with all its fields, set
or not.
"""

from __future__ import annotations

from pydantic.config import JsonDict

from tuning_operator.api.model import cel

_NOT_STARTED = "!has(oldSelf.status) || !has(oldSelf.status.startTime)"

_WAY_OUT = "create a new study, or delete this one and create it again"


def _fixed(field: str, expression: str = "self.spec.{0} == oldSelf.spec.{0}") -> JsonDict:
    return cel(
        f"{_NOT_STARTED} || {expression.format(field)}",
        f"`{field}` can't change after the study has started; {_WAY_OUT}",
        f".spec.{field}",
    )


_OPTIONAL = "has(self.spec.{0}) == has(oldSelf.spec.{0}) && (!has(self.spec.{0}) || self.spec.{0} == oldSelf.spec.{0})"
"""A field without a default may be there on one side only."""

_OBJECTIVES = "{side}.spec.objectives.map(o, [o.metric, o.direction, o.reduce])"

IMMUTABLE_AFTER_START: list[JsonDict] = [
    _fixed("objectives", " == ".join(_OBJECTIVES.format(side=side) for side in ("self", "oldSelf"))),
    _fixed("metricConstraints", _OPTIONAL),
    _fixed("parameters"),
    # Lists that are maps are equal in any order, but the order in which values are drawn belongs to the seed.
    _fixed("parameters", " == ".join(f"{side}.spec.parameters.map(p, p.name)" for side in ("self", "oldSelf"))),
    _fixed("defineByRun"),
    _fixed("constraints", _OPTIONAL),
    _fixed("search"),
    _fixed("trial.repeats"),
    _fixed("trial.folds"),
    _fixed("trial.parallelRuns", _OPTIONAL),
    _fixed("trial.metrics"),
    _fixed("trial.template"),
    _fixed("trial.deadlines"),
    _fixed("trial.retries"),
    _fixed("trial.pruneGrace"),
    _fixed("trial.queue", _OPTIONAL),
    _fixed("trial.checkpoints", _OPTIONAL),
]
"""Everything of `spec` but `objectives[].goal`, `maxTrials`, `parallelism`, `suspend`, `stopping`, `deletionPolicy`
and `trial.ttlAfterFinished`."""
