"""Synchronous Hyperband: who is promoted, and when."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from optuna.trial import FrozenTrial, TrialState

from tests.search.drafting import Drafting
from tests.search.strategies import inheriting_spec, lineages
from tuning_operator.api.strategies import SynchronousHyperbandOptions
from tuning_operator.decisions.schedule import brackets
from tuning_operator.decisions.trials import EndState, Lineage
from tuning_operator.search.strategies.strategy import PastTrial, Proposal
from tuning_operator.search.strategies.synchronous_hyperband import _next_of

NINE = {"maxResource": 9}
"""Brackets: 9@1 3@3 1@9 | 5@3 2@9 | 3@9."""


def drafting(**options: int) -> Drafting:
    return Drafting(inheriting_spec("SynchronousHyperband", {**NINE, **options}))


def end(study: Drafting, numbers: range | list[int], value: Callable[[int], float] = float) -> None:
    """Complete trials; what they are worth follows from their numbers."""
    for number in numbers:
        study.tell_trial(number, value(number))


def trials_of(study: Drafting, bracket: int, rung: int) -> list[FrozenTrial]:
    """Return a rung's trials."""
    found = zip(study.trials, lineages(study), strict=True)
    return [trial for trial, lineage in found if (lineage.bracket, lineage.rung) == (bracket, rung)]


def test_the_best_of_a_rung_go_on_with_their_parameters_and_seeds() -> None:
    study = drafting()
    study.ask(9)
    end(study, range(9))
    study.ask(3)
    trials = study.trials
    assert lineages(study)[9:] == [
        Lineage(parent=parent, bracket=0, rung=1, budget=3, note=f"trial {parent} was promoted") for parent in (8, 7, 6)
    ]
    for child, parent in zip(trials[9:], (8, 7, 6), strict=True):
        assert child.params == trials[parent].params
        assert child.user_attrs["tuning:seed"] == trials[parent].user_attrs["tuning:seed"]


def test_who_was_promoted_is_not_promoted_again_when_the_rung_is_ranked_otherwise() -> None:
    study = drafting()
    study.ask(9)
    end(study, range(9))
    study.ask(1)
    rounds = brackets(SynchronousHyperbandOptions.model_validate(NINE))[0]
    rung = [PastTrial(n, {}, Lineage(bracket=0, rung=0), EndState.COMPLETE, score=float(-n)) for n in range(9)]
    promoted = [PastTrial(9, {}, Lineage(parent=8, bracket=0, rung=1), None)]
    proposals = []
    for number in (10, 11):
        proposal = _next_of(rounds, [rung, promoted, []])
        assert isinstance(proposal, Proposal)
        proposals.append(proposal.lineage.parent)
        promoted.append(PastTrial(number, {}, proposal.lineage, None))
    assert proposals == [0, 1], "the best that are left"


def test_nobody_is_promoted_before_the_whole_rung_has_ended_and_the_next_bracket_begins_meanwhile() -> None:
    study = drafting()
    study.ask(9)
    end(study, range(8))
    study.ask(1)
    assert lineages(study)[9] == Lineage(bracket=1, rung=0, budget=3)
    study.tell_trial(8, 8.0)
    study.ask(1)
    assert lineages(study)[10].parent == 8


def test_failed_and_pruned_trials_are_losers_so_that_a_rung_always_fills() -> None:
    study = drafting()
    study.ask(9)
    for number in range(7):
        study.tell_trial(number, 100.0, (TrialState.FAIL, TrialState.PRUNED)[number % 2])
    end(study, [7, 8])
    study.ask(3)
    assert [lineage.parent for lineage in lineages(study)[9:]] == [8, 7, None]
    assert lineages(study)[11].bracket == 1


def test_a_bracket_whose_trials_all_fail_is_over() -> None:
    study = drafting()
    while study.ask(1):
        number = len(study.trials) - 1
        in_first = lineages(study)[number].bracket == 0
        study.tell_trial(number, float(number), TrialState.FAIL if in_first else TrialState.COMPLETE)
    assert [len(trials_of(study, *at)) for at in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))] == [9, 0, 5, 2, 3]
    assert study.asking.size() == 19


def test_in_a_study_that_minimizes_the_smallest_go_on() -> None:
    study = Drafting(inheriting_spec("SynchronousHyperband", NINE, direction="Minimize"))
    study.ask(9)
    end(study, range(9))
    study.ask(3)
    assert [lineage.parent for lineage in lineages(study)[9:]] == [0, 1, 2]


def test_of_equal_trials_the_earlier_go_on() -> None:
    study = drafting()
    study.ask(9)
    end(study, range(9), lambda _: 0.5)
    study.ask(3)
    assert [lineage.parent for lineage in lineages(study)[9:]] == [0, 1, 2]


def test_iterations_follow_each_other_with_new_configurations() -> None:
    study = drafting(iterations=2)
    while study.ask(1):
        study.tell_trial(len(study.trials) - 1, 0.5)
    assert len(study.trials) == 46
    first, second = (trials_of(study, bracket, 0) for bracket in (0, 3))
    assert len({trial.params["rate"] for trial in [*first, *second]}) == 18


def test_new_configurations_may_be_learned() -> None:
    def run(sampler: str) -> list[float]:
        study = Drafting(inheriting_spec("SynchronousHyperband", {**NINE, "iterations": 6, "sampler": sampler}))
        while study.ask(1):
            newest = study.trials[-1]
            study.tell_trial(newest.number, -abs(math.log10(newest.params["rate"]) + 2))
        return [
            abs(math.log10(trial.params["rate"]) + 2) for number in (12, 15) for trial in trials_of(study, number, 0)
        ]

    assert statistics.median(run("TPE")) < statistics.median(run("Random")) / 2
    assert len(run("TPE")) == len(run("QMC"))


def test_enqueued_parameters_are_new_configurations_also_of_later_brackets() -> None:
    enqueue = [{"units": 16 + 16 * (number % 4), "optimizer": "sgd"} for number in range(11)]
    study = Drafting(inheriting_spec("SynchronousHyperband", NINE, enqueue=enqueue))
    while study.ask(1):
        study.tell_trial(len(study.trials) - 1, 0.5)
    fresh = [trial.params for bracket in range(3) for trial in trials_of(study, bracket, 0)]
    assert [{name: params[name] for name in ("units", "optimizer")} for params in fresh[:11]] == enqueue
