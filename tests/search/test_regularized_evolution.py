"""Regularised evolution: parents, children, and who dies."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.search.drafting import Drafting
from tests.search.strategies import lineages
from tests.search.studies import study_spec

PARAMETERS = tuple({"name": name, "type": "Int", "low": 0, "high": 9} for name in "abcdef")


def drafting(**options: Any) -> Drafting:
    sampler = {"name": "RegularizedEvolution", "options": {"populationSize": 10, "sampleSize": 10, **options}}
    return Drafting(study_spec(PARAMETERS, {"sampler": sampler}))


def parent_of(study: Drafting, number: int) -> int:
    """Return whose child a trial is."""
    parent = lineages(study)[number].parent
    assert parent is not None
    assert lineages(study)[number].note.startswith(f"child of trial {parent}: ")
    return parent


def run(study: Drafting, trials: int) -> None:
    """Let trials run one after the other; the sum of their parameters is to be large."""
    for number in range(len(study.trials), trials):
        study.ask(1)
        study.tell_trial(number, float(sum(study.trials[number].params.values())))


def test_it_begins_with_random_trials_and_goes_on_with_children_that_start_afresh() -> None:
    study = drafting()
    run(study, 30)
    assert [lineage.generation for lineage in lineages(study)[:10]] == [0] * 10
    assert all((lineage.generation or 0) > 0 for lineage in lineages(study)[10:])
    assert {(lineage.source, lineage.budget) for lineage in lineages(study)} == {(None, None)}


def test_a_child_shows_its_parent_and_has_a_seed_of_its_own() -> None:
    study = drafting()
    run(study, 12)
    assert [lineage.parent for lineage in lineages(study)[:10]] == [None] * 10
    for child in study.trials[10:]:
        parent = study.trials[parent_of(study, child.number)]
        assert child.user_attrs["tuning:parent"] == parent.number
        assert child.user_attrs["tuning:inherits"] is False
        assert child.user_attrs["tuning:seed"] != parent.user_attrs["tuning:seed"]


def test_a_child_differs_in_one_parameter_at_least_and_says_in_which() -> None:
    study = drafting(mutationProb=0.0)
    run(study, 40)
    for number in range(10, 40):
        parent, child = study.trials[parent_of(study, number)].params, study.trials[number].params
        (name,) = (name for name in child if child[name] != parent[name])
        assert lineages(study)[number].note.endswith(f"{name} was changed from {parent[name]} to {child[name]}")


def test_every_parameter_of_a_child_may_be_drawn_anew() -> None:
    study = drafting(mutationProb=1.0)
    run(study, 11)
    parent, child = study.trials[parent_of(study, 10)].params, study.trials[10].params
    assert all(child[name] != parent[name] for name in child)


def test_only_the_newest_have_children() -> None:
    study = drafting(populationSize=5, sampleSize=2)
    run(study, 60)
    assert all(number - parent_of(study, number) <= 5 for number in range(5, 60))


def test_it_gets_better() -> None:
    study = drafting(sampleSize=4)
    run(study, 120)
    sums = [trial.values[0] for trial in study.trials]
    assert statistics.median(sums[100:]) > statistics.median(sums[:10]) + 5


@pytest.mark.parametrize(("on_failure", "first_child"), [("Ignore", 13), ("Worst", 10)])
def test_a_failed_trial_is_replaced_or_the_worst_as_the_study_says(on_failure: str, first_child: int) -> None:
    study = drafting(onFailure=on_failure)
    for number in range(14):
        study.ask(1)
        study.tell_trial(number, 1.0, TrialState.FAIL if number < 3 else TrialState.COMPLETE)
    generations = [lineage.generation for lineage in lineages(study)]
    assert generations.index(1) == first_child
    assert all(parent_of(study, number) >= 3 for number in range(first_child, 14))


def test_a_pruned_trial_is_the_worst() -> None:
    study = drafting(sampleSize=10)
    for number in range(12):
        study.ask(1)
        study.tell_trial(number, 1.0, TrialState.COMPLETE if number == 9 else TrialState.PRUNED)
    assert parent_of(study, 10) in range(10)
    assert parent_of(study, 11) in (9, *range(1, 9))
