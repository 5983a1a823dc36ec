"""Where a strategy's trial comes from, in user attributes of Optuna's tables, which notebooks and dashboards show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from optuna.trial import FrozenTrial

from tuning_operator.decisions.trials import NO_LINEAGE, Lineage
from tuning_operator.search.attributes import MOST_ATTEMPTS, flag, text, whole

_LARGEST = 2**31 - 1
_PREFIX = "tuning:"
_NUMBERS = ("generation", "bracket", "rung", "budget")
_NOTE = "note"


def written_lineage(lineage: Lineage) -> dict[str, Any]:
    """Return the attributes of a trial; what it has not is left out."""
    unset = asdict(NO_LINEAGE)
    return {_PREFIX + name: value for name, value in asdict(lineage).items() if value != unset[name]}


def lineage_of(trial: FrozenTrial) -> Lineage:
    """Return what the attributes of a trial say; raises `Unreadable`."""
    attrs = trial.user_attrs
    return Lineage(
        parent=_number(attrs, "parent", trial.number - 1),
        inherits=flag(attrs, _PREFIX + "inherits", default=True),
        parent_attempt=_number(attrs, "parent_attempt", MOST_ATTEMPTS) or 1,
        note=text(attrs, _PREFIX + _NOTE, ""),
        **{name: _number(attrs, name, _LARGEST) for name in _NUMBERS},
    )


def _number(attrs: Mapping[str, Any], name: str, most: int) -> int | None:
    return whole(attrs, _PREFIX + name, 0, most) if _PREFIX + name in attrs else None
