from __future__ import annotations

from typing import Any

import pytest

from tests.builders import snapshot, spec
from tuning_operator.api.status import ConditionType
from tuning_operator.decisions.first_generation import warnings_of_first_generation
from tuning_operator.decisions.study_status import study_status

TABLE = "lr,loss\n0.01,1\n"


@pytest.mark.parametrize(
    ("sampler", "size"),
    [
        ({"name": "NSGAII"}, 50),
        ({"name": "NSGAIII", "options": {"populationSize": 6}}, 6),
        ({"name": "RegularizedEvolution", "options": {"populationSize": 6, "sampleSize": 2}}, 6),
    ],
    ids=str,
)
def test_a_study_that_ends_with_its_first_generation_is_warned(sampler: dict[str, Any], size: int) -> None:
    search = {"sampler": sampler}
    assert warnings_of_first_generation(spec(search=search, maxTrials=size + 1)) == []
    assert warnings_of_first_generation(spec(search=search, maxTrials=size)) == [
        f"`maxTrials` is {size}, and {sampler['name']} draws the first {size} trials at random (`populationSize`); "
        "raise the one, or lower the other"
    ]


def test_a_warm_start_may_be_the_first_generation() -> None:
    search = {"sampler": {"name": "NSGAII"}, "warmStart": [{"csv": TABLE}]}
    assert warnings_of_first_generation(spec(search=search, maxTrials=2)) == []


def test_samplers_without_generations_are_content() -> None:
    assert warnings_of_first_generation(spec(search={"sampler": {"name": "TPE"}}, maxTrials=2)) == []


def test_the_status_warns() -> None:
    status = study_status(snapshot(maxTrials=2, search={"sampler": {"name": "NSGAII"}}), "token")
    accepted = status.condition(ConditionType.ACCEPTED)
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("True", "ValidWithWarnings")
    assert accepted.message.startswith("`maxTrials` is 2, and NSGAII draws the first 50 trials at random")
