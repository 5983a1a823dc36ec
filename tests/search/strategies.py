"""Studies with a strategy, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.search.drafting import Drafting
from tests.search.studies import METRIC, PARAMETERS
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.trials import Lineage
from tuning_operator.search.lineage import lineage_of

WITH_SGD: tuple[Mapping[str, Any], ...] = (
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]},
    {
        "name": "nesterov",
        "type": "Categorical",
        "choices": [True, False],
        "when": {"parameter": "optimizer", "in": ["sgd"]},
    },
)
"""A change from adam to sgd brings a parameter along."""


def inheriting_spec(
    name: str,
    options: Mapping[str, Any],
    parameters: tuple[Mapping[str, Any], ...] = PARAMETERS,
    direction: str = "Maximize",
    constraints: Sequence[str] = (),
    **search: Any,
) -> StudySpec:
    """Return the spec of a study with a strategy, and with a volume for its checkpoints."""
    return StudySpec.model_validate(
        {
            "objectives": [{"metric": METRIC, "direction": direction}],
            "parameters": [dict(parameter) for parameter in parameters],
            "search": {"seed": 7, "sampler": {"name": name, "options": dict(options)}, **search},
            "constraints": [*constraints],
            "maxTrials": 1000,
            "trial": {
                "checkpoints": {"claimName": "claim"},
                "template": {"spec": {"containers": [{"name": "trainer", "image": "trainer"}]}},
            },
        }
    )


def lineages(drafting: Drafting) -> list[Lineage]:
    """Return where each trial comes from."""
    return [lineage_of(trial) for trial in drafting.trials]
