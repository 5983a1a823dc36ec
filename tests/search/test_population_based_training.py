"""Population-based training: who is replaced by whom, and how copies differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.search.drafting import Drafting
from tests.search.strategies import WITH_SGD, inheriting_spec, lineages

TEN = {"populationSize": 10, "interval": 3, "generations": 3}


def drafting(direction: str = "Maximize", **options: Any) -> Drafting:
    return Drafting(inheriting_spec("PopulationBasedTraining", {**TEN, **options}, direction=direction))


def end(study: Drafting, numbers: range, value: Callable[[int], float] = float) -> None:
    """Complete trials; what they are worth follows from their numbers."""
    for number in numbers:
        study.tell_trial(number, value(number))


def test_a_generation_is_asked_for_at_once_and_the_next_one_when_all_of_it_have_ended() -> None:
    study = drafting()
    assert len(study.ask(20)) == 10
    end(study, range(9))
    assert study.ask(20) == []
    end(study, range(9, 10))
    assert len(study.ask(20)) == 10
    assert [(each.generation, each.budget) for each in lineages(study)] == [(0, 3)] * 10 + [(1, 6)] * 10


def test_the_worst_fifth_gives_way_to_changed_copies_of_the_best_fifth() -> None:
    study = drafting()
    study.ask(10)
    end(study, range(10))
    study.ask(10)
    trials = study.trials
    for member, lineage in enumerate(lineages(study)[10:]):
        parent = lineage.parent
        assert parent is not None
        child = trials[10 + member]
        assert child.user_attrs["tuning:seed"] == trials[parent].user_attrs["tuning:seed"]
        if member < 2:
            assert parent in (8, 9)
            assert lineage.note.startswith(f"a copy of trial {parent} replaces trial {member}: rate was changed from ")
            assert child.params["rate"] != trials[parent].params["rate"]
        else:
            assert (parent, lineage.note) == (member, "")
            assert child.params == trials[parent].params


def test_in_a_study_that_minimizes_the_largest_give_way() -> None:
    study = drafting("Minimize")
    study.ask(10)
    end(study, range(10))
    study.ask(10)
    assert [lineage.parent for lineage in lineages(study)[10:18]] == list(range(8))
    assert {lineage.parent for lineage in lineages(study)[18:]} <= {0, 1}


def test_a_member_that_failed_is_replaced_and_is_not_one_of_the_worst_that_are() -> None:
    study = drafting()
    study.ask(10)
    end(study, range(10))
    study.tell_trial(5, None, TrialState.FAIL)
    study.ask(10)
    parents = [lineage.parent for lineage in lineages(study)[10:]]
    assert {parents[0], parents[1], parents[5]} <= {8, 9}
    assert parents[2:5] + parents[6:] == [2, 3, 4, 6, 7, 8, 9]


def test_one_that_is_left_is_copied_to_all_and_without_any_nothing_goes_on() -> None:
    study = drafting()
    study.ask(10)
    for number in range(10):
        study.tell_trial(number, 0.5, TrialState.COMPLETE if number == 4 else TrialState.PRUNED)
    study.ask(10)
    assert {lineage.parent for lineage in lineages(study)[10:]} == {4}
    for number in range(10, 20):
        study.tell_trial(number, None, TrialState.FAIL)
    assert study.ask(1) == []
    assert study.asking.size() == 20


def test_only_the_named_parameters_change() -> None:
    study = drafting(mutate=["rate"], truncation=0.5)
    study.ask(10)
    end(study, range(10))
    study.ask(10)
    for child, lineage in zip(study.trials[10:], lineages(study)[10:], strict=True):
        assert lineage.parent is not None
        parent = study.trials[lineage.parent].params
        assert {**child.params, "rate": 0} == {**parent, "rate": 0}
        factor = child.params["rate"] / parent["rate"]
        assert lineage.parent != lineage.generation or factor == 1 or factor > 0


OPTIMIZERS = ({"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd", "rmsprop", "lion"]},)


def members(study: Drafting, generation: int) -> list[tuple[int | None, str]]:
    """Return from whom each member of a generation goes on, and with which optimizer."""
    of = zip(study.trials, lineages(study), strict=True)
    return [(line.parent, trial.params["optimizer"]) for trial, line in of if line.generation == generation]


@pytest.mark.parametrize("seed", range(10))
def test_no_copy_is_like_its_parent_or_another_copy_also_after_a_restart(seed: int) -> None:
    """Three copies of three parents, of which each has three others; a Categorical stays in three of four draws."""
    options = {"populationSize": 6, "interval": 1, "generations": 4, "truncation": 0.5}
    study = Drafting(inheriting_spec("PopulationBasedTraining", options, OPTIMIZERS, seed=seed))
    restarted = Drafting(inheriting_spec("PopulationBasedTraining", options, OPTIMIZERS, seed=seed))
    for generation in range(4):
        study.ask(6)
        for _ in range(6):
            restarted.ask(1)
            restarted.restart()
        for each in (study, restarted):
            end(each, range(6 * generation, 6 * generation + 6))
        assert members(study, generation) == members(restarted, generation)
        assert generation == 0 or len(set(members(study, generation))) == 6


@pytest.mark.parametrize("seed", range(10))
def test_copies_differ_in_conditional_parameters_that_their_change_brings(seed: int) -> None:
    """The only member that is left trains with adam; there is sgd with nesterov, and without, for two copies."""
    options = {"populationSize": 3, "interval": 1, "generations": 2}
    study = Drafting(
        inheriting_spec("PopulationBasedTraining", options, WITH_SGD, enqueue=[{"optimizer": "adam"}], seed=seed)
    )
    study.ask(3)
    for number in range(3):
        study.tell_trial(number, 0.5, TrialState.COMPLETE if number == 0 else TrialState.FAIL)
    study.ask(3)
    assert {trial.params.get("nesterov") for trial in study.trials[3:]} == {None, True, False}


def test_a_space_with_too_few_values_for_distinct_copies_has_some_alike() -> None:
    """The only member that is left has one other optimizer for five copies."""
    options = {"populationSize": 6, "interval": 1, "generations": 2}
    few = ({**OPTIMIZERS[0], "choices": ["adam", "sgd"]},)
    study = Drafting(inheriting_spec("PopulationBasedTraining", options, few))
    study.ask(6)
    for number in range(6):
        study.tell_trial(number, 0.5, TrialState.COMPLETE if number == 0 else TrialState.FAIL)
    assert len(study.ask(6)) == 6
    assert {parent for parent, _ in members(study, 1)} == {0}
    assert {optimizer for _, optimizer in members(study, 1)} == {"adam", "sgd"}


def test_it_ends_after_its_generations() -> None:
    study = drafting(generations=2)
    while study.ask(3):
        end(study, range(len(study.trials)))
    assert len(study.trials) == 20
    assert study.asking.size() == 20
