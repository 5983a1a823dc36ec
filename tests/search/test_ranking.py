"""Which trials strategies take for better ones."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.search.drafting import Drafting
from tests.search.strategies import inheriting_spec, lineages
from tests.search.studies import METRIC, outcome
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.trials import NO_LINEAGE, EndState
from tuning_operator.search.strategies.ranking import rank_of, ranked
from tuning_operator.search.strategies.strategy import PastTrial


def past(number: int, score: float | None, violation: float = 0.0) -> PastTrial:
    return PastTrial(number, {}, NO_LINEAGE, EndState.COMPLETE, score=score, violation=violation)


def test_what_keeps_bounds_comes_first_then_what_is_less_beyond_them_then_what_is_worth_more() -> None:
    trials = [
        past(0, 9.0, violation=2.0),
        past(1, 0.1),
        past(2, 5.0, violation=0.5),
        past(3, 0.3),
        past(4, 0.3),
        past(5, 7.0, violation=0.5),
        past(6, 8.0, violation=math.inf),
    ]
    assert [trial.number for trial in ranked(trials)] == [3, 4, 1, 5, 2, 0, 6]


def test_what_has_no_finite_value_comes_last_in_whatever_order_trials_are_given() -> None:
    trials = [past(0, math.nan), past(1, 0.1, violation=3.0), past(2, None), past(3, math.inf), past(4, 0.2)]
    for some in permutations(trials):
        assert [trial.number for trial in ranked(some)] == [4, 1]
        by_rank = sorted(some, key=lambda trial: rank_of(trial, trial.score))
        assert [trial.number for trial in by_rank] == [4, 1, 0, 2, 3]


def test_hyperband_promotes_those_within_bounds_and_then_those_least_beyond_them() -> None:
    study = Drafting(inheriting_spec("SynchronousHyperband", {"maxResource": 9}))
    study.ask(9)
    for number in range(9):
        study.tell_trial(number, float(number), excesses=(0.0, -1.0) if number == 4 else (9.0 - number % 5, 0.5))
    study.ask(3)
    assert [lineage.parent for lineage in lineages(study)[9:]] == [4, 8, 3]


def test_a_population_replaces_those_beyond_bounds_whatever_they_are_worth() -> None:
    options = {"populationSize": 10, "interval": 1, "generations": 2}
    study = Drafting(inheriting_spec("PopulationBasedTraining", options))
    study.ask(10)
    for number in range(10):
        study.tell_trial(number, float(number), excesses=(1.0,) if number > 7 else ())
    study.ask(10)
    parents = [lineage.parent for lineage in lineages(study)[10:]]
    assert parents[:8] == list(range(8))
    assert set(parents[8:]) <= {6, 7}


def test_the_parents_of_evolution_are_within_bounds_or_least_beyond_them_and_losers_only_among_losers() -> None:
    """Each of four draws takes any of the four: the best of them is a parent in two thirds of the studies."""
    parents: Counter[str] = Counter()
    for seed in range(60):
        spec = inheriting_spec("RegularizedEvolution", {"populationSize": 4, "sampleSize": 4}, seed=seed)
        study = Drafting(spec)
        study.ask(4)
        study.tell_trial(0, 9.0, excesses=(2.0,))
        study.tell_trial(1, 1.0, excesses=(1.0,))
        study.tell_trial(2, math.nan)
        study.tell_trial(3, 9.0, TrialState.PRUNED)
        study.ask(1)
        parents[lineages(study)[4].note.split(":")[0]] += 1
    assert [parent for parent, _ in parents.most_common(3)] == [f"child of trial {number}" for number in (1, 0, 2)]
    assert parents["child of trial 1"] > 30


def test_the_net_of_miha_becomes_the_fittest_individual_within_bounds() -> None:
    study = Drafting(inheriting_spec("MIHA", {"crossover": False}, direction="Minimize"))
    study.ask(1)
    study.tell_trial(0, 1.0)
    study.ask(4)
    for number in range(1, 5):
        study.tell_trial(number, 0.1 * number, excesses=(1.0,) if number < 3 else ())
    study.ask(1)
    assert lineages(study)[5].parent == 3


@pytest.mark.parametrize("diverged", [1, 2, 3, 4])
def test_an_individual_of_miha_that_diverged_is_no_net(diverged: int) -> None:
    """With `reduce: Best` it is complete nonetheless."""
    study = Drafting(inheriting_spec("MIHA", {"crossover": False}, direction="Minimize"))
    study.ask(1)
    study.tell_trial(0, 1.0)
    study.ask(4)
    for number in range(1, 5):
        curve = {4: 0.01, 5: math.nan} if number == diverged else {4: math.nan, 5: 0.1 * number}
        study.tell_trial(number, 0.01, values=curve)
    study.ask(1)
    assert lineages(study)[5].parent == (2 if diverged == 1 else 1)


async def test_what_is_stored_of_bounds_counts_also_after_a_restart(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _bounded("SynchronousHyperband", {"maxResource": 9})
    study = await sqlite_world.open()
    await study.ask(9)
    await study.tell([outcome(number, 0.1 * number) for number in range(9)])
    study = await sqlite_world.reopen()
    promoted = [trial.lineage.parent for trial in await study.ask(3)]
    assert promoted == [3, 2, 1]


def _bounded(name: str, options: dict[str, Any]) -> StudySpec:
    """Return the spec of a study whose objective has a bound too."""
    document = inheriting_spec(name, options).to_document()
    return StudySpec.model_validate({**document, "metricConstraints": [{"metric": METRIC, "max": 0.35}]})
