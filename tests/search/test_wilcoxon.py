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
from tuning_operator.search.attributes import RUN_VALUES, written_numbers
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


def _asked(sampler: dict[str, Any], pruner: str, state: TrialState) -> list[dict[str, Any]]:
    """Return the parameters of trials of ten folds, most of which end in this state; the process restarts once."""
    document = {**study_spec().to_document(), "search": {"seed": 7, "sampler": sampler, "pruner": {"name": pruner}}}
    document["trial"] = {**document["trial"], "folds": 10}
    drafting = Drafting(StudySpec.model_validate(document))
    for number in range(12):
        drafting.ask(1)
        drafting.tell_trial(number, 0.1 * (number % 7), state if number % 3 else TrialState.COMPLETE)
        if number == 9:
            drafting.restart()
    return [trial.params for trial in drafting.trials]


TPE = {"name": "TPE", "options": {"nStartupTrials": 4}}
NSGAII = {"name": "NSGAII", "options": {"populationSize": 4}}
CMAES = {"name": "CMAES", "options": {"popsize": 4}}


@pytest.mark.parametrize("sampler", [TPE, NSGAII, CMAES], ids=str)
def test_samplers_learn_the_mean_of_a_hopeless_trial_s_runs_as_of_a_whole_one(sampler: dict[str, Any]) -> None:
    assert _asked(sampler, "Wilcoxon", TrialState.PRUNED) == _asked(sampler, "Wilcoxon", TrialState.COMPLETE)


def test_a_trial_that_another_pruner_stopped_is_no_whole_one_to_samplers() -> None:
    assert _asked(TPE, "Median", TrialState.PRUNED) != _asked(TPE, "Median", TrialState.COMPLETE)
