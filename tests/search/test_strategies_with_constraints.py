"""Strategies whose changes have to meet constraints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.search.drafting import Drafting
from tests.search.strategies import inheriting_spec, lineages

PARAMETERS: tuple[Mapping[str, Any], ...] = (
    {"name": "a", "type": "Int", "low": 0, "high": 9},
    {"name": "b", "type": "Int", "low": 0, "high": 9},
    {"name": "rate", "type": "Float", "low": 1e-4, "high": 1, "scale": "Log"},
)


NO_CHANGE = "no change that was drawn meets `constraints`"

STRATEGY = pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MIHA", {"cycles": 4}),
        ("PopulationBasedTraining", {"populationSize": 6, "interval": 1, "generations": 5, "truncation": 0.5}),
        ("RegularizedEvolution", {"populationSize": 6, "sampleSize": 3}),
        ("SynchronousHyperband", {"maxResource": 9}),
    ],
)


@STRATEGY
def test_every_trial_meets_them(name: str, options: dict[str, Any]) -> None:
    study = Drafting(inheriting_spec(name, options, PARAMETERS, constraints=["a + b <= 6", "rate < 0.1"]))
    while len(study.trials) < 40 and study.ask(3):
        for trial in study.trials:
            if trial.values is None:
                study.tell_trial(trial.number, float(trial.params["a"] + trial.params["b"]))
    assert len(study.trials) > 20
    assert all(trial.params["a"] + trial.params["b"] <= 6 and trial.params["rate"] < 0.1 for trial in study.trials)


@STRATEGY
def test_where_no_point_meets_them_the_search_is_over(name: str, options: dict[str, Any]) -> None:
    """Else the study would wait for ever, with no trial that could end."""
    study = Drafting(inheriting_spec(name, options, PARAMETERS, constraints=["a + b > 99"]))
    assert study.ask(3) == []
    assert study.asking.size() == 0
    assert study.asking.why_none()


@STRATEGY
def test_an_enqueued_configuration_that_can_not_meet_them_is_named(name: str, options: dict[str, Any]) -> None:
    enqueue = [{"a": 1}, {"a": 0}]
    study = Drafting(inheriting_spec(name, options, PARAMETERS, enqueue=enqueue, constraints=["a > 0 || b > 99"]))
    assert study.ask(3) == []
    assert study.asking.why_none().startswith("`search.enqueue[1]` can't meet `constraints`: none of 10,000 points")


def test_where_no_change_meets_them_the_net_goes_on_unchanged() -> None:
    start = {"a": 1, "b": 5, "rate": 0.01}
    study = Drafting(inheriting_spec("MIHA", {}, PARAMETERS, enqueue=[start], constraints=["a == 1 && b == 5"]))
    study.ask(1)
    study.tell_trial(0, 0.5)
    assert len(study.ask(4)) == 4
    assert all(trial.params == start for trial in study.trials)
    assert lineages(study)[1].note == NO_CHANGE
    assert (lineages(study)[1].parent, lineages(study)[1].budget) == (0, 5)
    assert study.trials[1].user_attrs["tuning:seed"] == study.trials[0].user_attrs["tuning:seed"]


def test_where_no_child_meets_them_a_random_trial_is_run() -> None:
    options = {"populationSize": 2, "sampleSize": 1, "mutationProb": 0.0}
    study = Drafting(inheriting_spec("RegularizedEvolution", options, PARAMETERS[:2], constraints=["a == b"]))
    for number in range(6):
        study.ask(1)
        study.tell_trial(number, 0.5)
    assert all(trial.params["a"] == trial.params["b"] for trial in study.trials)
    assert {(lineage.parent, lineage.note) for lineage in lineages(study)[2:]} == {(None, NO_CHANGE)}
