"""MIHA: one net, its individuals, and which of them it becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.search.drafting import Drafting
from tests.search.strategies import WITH_SGD, inheriting_spec, lineages
from tuning_operator.decisions.trials import Lineage

NET: tuple[Mapping[str, Any], ...] = (
    {"name": "learning_rate", "type": "Float", "low": 1e-4, "high": 1e-1, "scale": "Log"},
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd", "rmsprop"]},
    {"name": "activation_1", "type": "Categorical", "choices": ["relu", "elu", "tanh"]},
    {"name": "batch_size", "type": "Int", "low": 8, "high": 256},
)
START = {"learning_rate": 0.01, "optimizer": "adam", "activation_1": "relu", "batch_size": 32}


def drafting(direction: str = "Minimize", **options: Any) -> Drafting:
    return Drafting(inheriting_spec("MIHA", options, NET, direction, enqueue=[START]))


def after_runup(direction: str = "Minimize", **options: Any) -> Drafting:
    """Return a study whose net is complete and whose first individuals are asked for."""
    study = drafting(direction, **options)
    study.ask(1)
    study.tell_trial(0, 1.0 if direction == "Minimize" else -1.0)
    study.ask(options.get("populationSize", 4))
    return study


def test_its_trials_are_the_run_up_the_cycles_and_the_end() -> None:
    study = drafting()
    while study.ask(9):
        for number, trial in enumerate(study.trials):
            if trial.state is TrialState.RUNNING:
                study.tell_trial(number, 0.5)
    stages = [(each.generation, each.rung, each.budget) for each in lineages(study)]
    first, second = [(1, 0, 5)] * 4 + [(1, 1, 9)], [(2, 0, 11)] * 4 + [(2, 1, 15)]
    assert stages == [(0, 1, 3), *first, *second, (3, 1, 18)]
    assert study.asking.size() == 12
    budgets = [each.budget or 0 for each in lineages(study)]
    inherited = [budgets[each.parent] for each in lineages(study) if each.parent is not None]
    assert sum(budgets) - sum(inherited) == 2 * 3 + 2 * 4 * 2 + 2 * 4


def test_each_individual_is_the_net_with_exactly_one_parameter_changed() -> None:
    study = after_runup(populationSize=12)
    names = set()
    for trial, lineage in zip(study.trials[1:], lineages(study)[1:], strict=True):
        (name,) = (name for name in START if trial.params[name] != START[name])
        names.add(name)
        assert lineage.parent == 0
        assert lineage.note == f"{name} was changed from {START[name]} to {trial.params[name]}"
        assert abs(trial.params["batch_size"] - 32) <= 10
        assert trial.user_attrs["tuning:seed"] == study.trials[0].user_attrs["tuning:seed"]
    assert names == {"optimizer", "activation_1", "batch_size"}
    assert len({str(trial.params) for trial in study.trials[1:]}) == 12


LAYERS = tuple({**NET[2], "name": f"activation_{layer}"} for layer in (1, 2, 3, 12))


@pytest.mark.parametrize("lacking", [None, "batch_size", "activation", "optimizer"])
def test_optimizer_activation_and_batch_size_are_changed_equally_often_however_many_layers_there_are(
    lacking: str | None,
) -> None:
    """Where the net lacks one, the others share its chances; each layer is as likely as the other."""
    space = tuple(each for each in (NET[1], NET[3], *LAYERS) if not lacking or not each["name"].startswith(lacking))
    changed: Counter[str] = Counter()
    studies = 240
    for seed in range(studies):
        study = Drafting(inheriting_spec("MIHA", {}, space, "Minimize", seed=seed))
        study.ask(1)
        study.tell_trial(0, 1.0)
        study.ask(1)
        changed[lineages(study)[1].note.split(" was changed")[0]] += 1
    of_layers = [count for name, count in changed.items() if name.startswith("activation")]
    counts = [sum(of_layers), changed["optimizer"], changed["batch_size"]]
    expected = studies / (2 if lacking else 3)
    assert all(0.75 * expected < count < 1.25 * expected for count in counts if count)
    assert counts.count(0) == (1 if lacking else 0)
    assert lacking == "activation" or min(of_layers) > 0.1 * sum(of_layers)


@pytest.mark.parametrize("seed", range(10))
def test_individuals_are_distinct_where_there_are_just_enough_others(seed: int) -> None:
    """Two other optimizers, two other activations, and nine other batch sizes."""
    net = (*NET[1:3], {"name": "batch_size", "type": "Int", "low": 1, "high": 10})
    study = Drafting(inheriting_spec("MIHA", {"populationSize": 13}, net, "Minimize", seed=seed))
    study.ask(1)
    study.tell_trial(0, 1.0)
    study.ask(13)
    assert len({str(trial.params) for trial in study.trials}) == 14


def test_individuals_are_alike_where_the_space_has_too_few_others() -> None:
    study = Drafting(inheriting_spec("MIHA", {"populationSize": 3}, NET[1:2], "Minimize"))
    study.ask(1)
    study.tell_trial(0, 1.0)
    assert len(study.ask(3)) == 3
    assert len({str(trial.params) for trial in study.trials}) == 3


@pytest.mark.parametrize("seed", range(10))
def test_individuals_differ_in_conditional_parameters_that_their_change_brings_also_after_a_restart(seed: int) -> None:
    """From adam there is a way to sgd with nesterov, and one to sgd without."""
    spec = inheriting_spec("MIHA", {"populationSize": 2}, WITH_SGD, enqueue=[{"optimizer": "adam"}], seed=seed)
    study, restarted = Drafting(spec), Drafting(spec)
    for each in (study, restarted):
        each.ask(1)
        each.tell_trial(0, 1.0)
    study.ask(2)
    for _ in range(2):
        restarted.ask(1)
        restarted.restart()
    assert {trial.params.get("nesterov") for trial in study.trials} == {None, True, False}
    assert [trial.params for trial in study.trials] == [trial.params for trial in restarted.trials]


def test_the_first_individual_may_be_the_net_as_it_was() -> None:
    study = after_runup(keepUnchanged=True)
    assert study.trials[1].params == START
    assert lineages(study)[1].note == "nothing has changed"
    assert all(trial.params != START for trial in study.trials[2:])


def curves(study: Drafting, *of_individuals: tuple[float, float]) -> Lineage:
    """End the first individuals with these first and last values; return what is chosen."""
    for number, (first, last) in enumerate(of_individuals, start=1):
        study.tell_trial(number, last, values={4: first, 5: last})
    study.ask(1)
    return lineages(study)[-1]


def test_the_fittest_learned_fast_and_is_good() -> None:
    """With losses L_1 and L_n the fitness is L_1 - 2 L_n: here 0.2, 0.3, 0.1 and -0.5."""
    losses = ((0.8, 0.3), (0.9, 0.3), (0.3, 0.1), (0.5, 0.5))
    chosen = curves(after_runup(crossover=False), *losses)
    assert (chosen.parent, chosen.note) == (2, "trial 2 was the fittest")
    rewards = tuple((-first, -last) for first, last in losses)
    assert curves(after_runup("Maximize", crossover=False), *rewards).parent == 2


def test_getting_over_the_harm_of_its_own_change_makes_no_individual_fit() -> None:
    """The net's loss was 1.0 before: what was lost by a change, and won back, is no speed. Here 0.2, 0.6 and -0.6."""
    losses = ((9.0, 0.4), (0.8, 0.1), (5.0, 0.8), (0.9, 0.9))
    assert curves(after_runup(crossover=False), *losses).parent == 2


def test_crossover_takes_each_change_from_either_of_the_two_fittest_and_the_weights_of_the_fitter() -> None:
    children = set()
    for seed in range(40):
        spec = inheriting_spec(
            "MIHA", {"mutate": ["optimizer", "activation_1"]}, NET, "Minimize", enqueue=[START], seed=seed
        )
        study = Drafting(spec)
        study.ask(1)
        study.tell_trial(0, 1.0)
        study.ask(4)
        chosen = curves(study, (0.5, 0.3), (0.5, 0.1), (0.5, 0.2), (0.5, 0.5))
        fittest, second, child = study.trials[2].params, study.trials[3].params, study.trials[5].params
        assert chosen.parent == 2
        assert chosen.note.startswith("trial 2 was the fittest, crossed with trial 3: ")
        for name in START:
            assert child[name] in (fittest[name], second[name])
        if fittest["optimizer"] != second["optimizer"] and fittest["activation_1"] != second["activation_1"]:
            children.add((child["optimizer"] == fittest["optimizer"], child["activation_1"] == fittest["activation_1"]))
    assert children == {(True, True), (True, False), (False, True), (False, False)}


def test_failed_individuals_are_losers_and_without_any_other_the_net_goes_on_unchanged() -> None:
    study = after_runup()
    for number in range(1, 5):
        study.tell_trial(number, None, TrialState.FAIL)
    study.ask(1)
    chosen = lineages(study)[5]
    assert (chosen.parent, chosen.budget, chosen.note) == (0, 7, "no individual was complete with a finite value")
    assert study.trials[5].params == START


def test_a_chosen_net_that_fails_leaves_the_fittest_individual_to_go_on() -> None:
    study = after_runup()
    chosen = curves(study, (0.5, 0.3), (0.5, 0.1), (0.5, 0.2), (0.5, 0.5))
    study.tell_trial(5, None, TrialState.FAIL)
    study.ask(4)
    assert chosen.budget == 9
    assert {(each.parent, each.budget) for each in lineages(study)[6:]} == {(2, 7)}


def test_without_its_run_up_nothing_can_go_on() -> None:
    study = drafting()
    study.ask(1)
    study.tell_trial(0, None, TrialState.FAIL)
    assert study.ask(1) == []
    assert study.asking.size() == 1
