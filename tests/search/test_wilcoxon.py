"""Trials whose runs are hopeless are pruned as Optuna's WilcoxonPruner would, before their last run."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import WilcoxonPruner
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from tests.search.drafting import Drafting
from tests.search.studies import batch, last_words, outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_contract import FinalState
from tuning_operator.api.pruners import Pruner, WilcoxonOptions
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.trials import EndState
from tuning_operator.search.attributes import COMPLETE_RUNS_MEAN, RUN_VALUES, written_numbers
from tuning_operator.search.pruners import make_pruner
from tuning_operator.search.wilcoxon import p_value

VALUES = st.sampled_from([0.1, 0.2, 0.3, 1 / 3, 0.7, -2.0]) | st.floats(-10, 10)
RUNS = st.lists(VALUES, min_size=1, max_size=10)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::optuna.exceptions.ExperimentalWarning")
@settings(max_examples=150, deadline=None)
@given(
    st.lists(RUNS, max_size=3),
    st.lists(VALUES | st.sampled_from([math.nan, math.inf]), max_size=10),
    st.sampled_from([StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]),
    st.sampled_from([{}, {"pThreshold": 0.3}, {"pThreshold": 0.25, "nStartupSteps": 4}]),
)
def test_the_rule_is_optunas_for_any_runs(
    complete: list[list[float]], running: list[float], direction: StudyDirection, options: dict[str, Any]
) -> None:
    study = optuna.create_study(direction=direction)
    rule = make_pruner(Pruner.model_validate({"name": "Wilcoxon", "options": options}), direction, 0)
    for values in complete:
        by_run = dict(enumerate(values))
        attrs = {RUN_VALUES: written_numbers(by_run)}
        value = sum(values) / len(values)
        study.add_trial(create_trial(value=value, intermediate_values=by_run, user_attrs=attrs))
        rule.add_complete(study.trials[-1])
    parsed = WilcoxonOptions.model_validate(options)
    theirs = WilcoxonPruner(p_threshold=parsed.p_threshold, n_startup_steps=parsed.n_startup_steps)
    now = dict(enumerate(running))
    expected = theirs.prune(study, create_trial(state=TrialState.RUNNING, intermediate_values=now))
    assert rule.judge_runs(now).prune == expected


def test_a_trial_beyond_the_bound_of_a_metric_is_not_the_best_one_that_others_are_compared_with() -> None:
    rule = make_pruner(Pruner.model_validate({"name": "Wilcoxon"}), StudyDirection.MAXIMIZE, 0)
    hopeless = dict.fromkeys(range(8), 0.5)

    def add(value: float, excess: float) -> None:
        attrs = {RUN_VALUES: written_numbers(dict.fromkeys(range(8), value))}
        bound = {"constraints:memory <= 0.5": excess}
        rule.add_complete(create_trial(value=value, user_attrs=attrs, system_attrs=bound))

    add(0.9, excess=0.1)
    assert not rule.judge_runs(hopeless).prune
    add(0.8, excess=0.0)
    assert rule.judge_runs(hopeless).prune


def test_the_probability_is_exact() -> None:
    assert p_value([1.0, 2.0, 3.0, 4.0]) == 1 / 16
    assert p_value([-1.0, 2.0, 3.0, 4.0]) == 2 / 16
    assert p_value([0.0, 0.0]) == 1.0
    assert p_value([float(run + 1) for run in range(100)]) == 0.5**100


def _spec() -> StudySpec:
    spec = study_spec()
    pruner = Pruner.model_validate({"name": "Wilcoxon", "options": {"pThreshold": 0.3}})
    return spec.model_copy(
        update={
            "trial": spec.trial.model_copy(update={"folds": 4}),
            "search": spec.search.model_copy(update={"pruner": pruner}),
        }
    )


async def test_a_trial_whose_complete_folds_are_hopeless_is_told_to_stop_once_and_for_good(
    world: DatabaseWorld,
) -> None:
    world.spec = _spec()
    study = await world.open()
    await study.ask(2)
    for run in range(4):
        await study.report(0, 1, batch((1, 0.8 + run / 100), end=FinalState.COMPLETE), run=run)
    await study.tell([outcome(0, after=last_words(study, 0))])
    world.clock.advance(1)
    assert not (await study.report(1, 1, batch((1, 0.1)), run=3)).reply.stop, "it may get better yet"
    assert not (await study.report(1, 1, batch((1, 0.2), end=FinalState.COMPLETE), run=0)).reply.stop
    study = await world.reopen()
    answer = await study.report(1, 1, batch((1, 0.3), end=FinalState.COMPLETE), run=2)
    assert answer.wake
    assert study.history().open[0].prune_decided_at is not None
    study = await world.reopen()
    assert (await study.report(1, 1, batch((2, 0.99)), run=3)).reply.reason == "Pruned"


TPE = {"name": "TPE", "options": {"nStartupTrials": 4}}
NSGAII = {"name": "NSGAII", "options": {"populationSize": 4}}
CMAES = {"name": "CMAES", "options": {"popsize": 4}}


def _asked(sampler: dict[str, Any], state: TrialState, with_mean: bool = True) -> list[dict[str, Any]]:
    """Return the parameters of trials, most of which end in this state, maybe with the mean of their complete runs; the
    process restarts once."""
    drafting = Drafting(study_spec(search={"sampler": sampler}))
    for number in range(12):
        drafting.ask(1)
        value = 0.1 * (number % 7)
        if number % 3:
            attributes = {COMPLETE_RUNS_MEAN: value} if with_mean else {}
            drafting.tell_trial(number, value if state is TrialState.COMPLETE else -value, state, **attributes)
        else:
            drafting.tell_trial(number, value)
        if number == 9:
            drafting.restart()
    return [trial.params for trial in drafting.trials]


@pytest.mark.parametrize("sampler", [TPE, NSGAII, CMAES], ids=str)
def test_samplers_learn_the_mean_of_a_pruned_trial_s_complete_runs_as_of_a_whole_one(sampler: dict[str, Any]) -> None:
    assert _asked(sampler, TrialState.PRUNED) == _asked(sampler, TrialState.COMPLETE)


def test_a_trial_that_was_pruned_before_any_run_was_complete_is_no_whole_one_to_samplers() -> None:
    assert _asked(TPE, TrialState.PRUNED, with_mean=False) != _asked(TPE, TrialState.COMPLETE)


async def test_only_complete_runs_count_for_what_samplers_learn_of_a_pruned_trial(world: DatabaseWorld) -> None:
    world.spec = _spec()
    study = await world.open()
    await study.ask(3)
    for run in (0, 2):
        await study.report(0, 1, batch((1, 0.2 + run / 10), end=FinalState.COMPLETE), run=run)
    for number in (0, 1):
        await study.report(number, 1, batch((1, 5.0)), run=3)
        await study.tell([outcome(number, 2.0, EndState.PRUNED, after=last_words(study, number))])
    study = await world.reopen()
    await study.ask(1)
    seen = [study._sampling.suggestions._suggester._seen.own(number) for number in (0, 1)]
    assert [(trial.state, trial.values) for trial in seen] == [
        (TrialState.COMPLETE, [pytest.approx(0.3)]),
        (TrialState.PRUNED, [5.0]),
    ]
    with world.in_optuna() as theirs:
        assert theirs.trials[0].state is TrialState.PRUNED
