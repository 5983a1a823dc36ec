from __future__ import annotations

from typing import Any

import pytest

from tests.builders import snapshot, spec, trial_fields
from tuning_operator.api.status import ConditionType
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.enqueued import planned_enqueued, warnings_of_enqueued
from tuning_operator.decisions.study_status import study_status

HYPERBAND = {"name": "SynchronousHyperband", "options": {"maxResource": 9}}
"""Brackets: 9@1 3@3 1@9 | 5@3 2@9 | 3@9."""
POPULATION = {"name": "PopulationBasedTraining", "options": {"populationSize": 4, "interval": 1, "generations": 5}}
EVOLUTION = {"name": "RegularizedEvolution", "options": {"populationSize": 6, "sampleSize": 2}}
MIHA = {"name": "MIHA", "options": {"mutate": ["lr"]}}


def enqueuing(count: int, sampler: dict[str, Any], max_trials: int = 100) -> StudySpec:
    search = {"sampler": sampler, "enqueue": [{"lr": 0.01}] * count}
    return spec(search=search, maxTrials=max_trials, trial=trial_fields(checkpoints={"claimName": "claim"}))


@pytest.mark.parametrize(
    ("sampler", "max_trials", "planned"),
    [
        ({"name": "Random"}, 12, 12),
        ({"name": "Grid", "options": {"points": 2}}, 30, 30),
        (HYPERBAND, 100, 9 + 5 + 3),
        (HYPERBAND, 13 + 2, 9 + 2),
        (HYPERBAND, 13, 9),
        ({**HYPERBAND, "options": {"maxResource": 9, "iterations": 2}}, 46, 2 * 17),
        (POPULATION, 100, 4),
        (POPULATION, 3, 3),
        (EVOLUTION, 100, 6),
        (EVOLUTION, 5, 5),
        (MIHA, 100, 1),
    ],
)
def test_enqueued_trials_are_run_as_far_as_trials_begin_with_new_parameters(
    sampler: dict[str, Any], max_trials: int, planned: int
) -> None:
    assert planned_enqueued(enqueuing(planned, sampler, max_trials)) == planned
    assert planned_enqueued(enqueuing(planned + 1, sampler, max_trials)) == planned
    assert warnings_of_enqueued(enqueuing(planned, sampler, max_trials)) == []
    assert len(warnings_of_enqueued(enqueuing(planned + 1, sampler, max_trials))) == 1


def test_a_warning_names_those_that_are_left_and_says_what_to_do() -> None:
    assert warnings_of_enqueued(enqueuing(3, MIHA)) == [
        "`search.enqueue[1]` to `search.enqueue[2]` are not planned to be run, for MIHA begins only 1 with new "
        "parameters; remove them"
    ]
    assert warnings_of_enqueued(enqueuing(5, {"name": "Random"}, max_trials=4)) == [
        "`search.enqueue[4]` is not planned to be run, for `maxTrials` is 4; raise that, or remove it"
    ]
    assert warnings_of_enqueued(enqueuing(10, HYPERBAND, max_trials=13)) == [
        "`search.enqueue[9]` is not planned to be run, for `maxTrials` is 13; raise that, or remove it"
    ]
    assert warnings_of_enqueued(enqueuing(9, POPULATION, max_trials=3)) == [
        "`search.enqueue[3]` to `search.enqueue[8]` are not planned to be run, for `maxTrials` is 3; remove them"
    ], "it begins only 4 with new parameters"


def test_the_status_warns() -> None:
    search = {"enqueue": [{"lr": 0.01}] * 3}
    accepted = study_status(snapshot(maxTrials=2, search=search), "token").condition(ConditionType.ACCEPTED)
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("True", "ValidWithWarnings")
    assert accepted.message.startswith("`search.enqueue[2]` is not planned to be run")
