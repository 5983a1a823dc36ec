"""Trials are pruned as Optuna would, once, and for good."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any

import optuna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optuna.pruners import MedianPruner
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from tests.builders import new_attempt
from tests.search.studies import KEY, batch, last_words, outcome, pruning, study_spec
from tests.search.worlds import DatabaseWorld, FaultyStatements
from tuning_contract import FinalState, Report, ReportBatch
from tuning_operator.api.search import MedianOptions
from tuning_operator.decisions.snapshot import EndState
from tuning_operator.errors import StorageUnavailable
from tuning_operator.search.curve import Curve
from tuning_operator.search.median import MedianRule

curves = st.dictionaries(
    st.integers(0, 6), st.sampled_from([0.1, 0.2, 0.3, 1 / 3, 0.7, -2.0, math.nan, math.inf, -math.inf]), max_size=5
)
OPTIONS = [
    {},
    {"nStartupTrials": 2, "nWarmupSteps": 2},
    {"nStartupTrials": 1, "intervalSteps": 2, "nMinTrials": 3},
]


@pytest.mark.parametrize("direction", ["Maximize", "Minimize"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
async def test_decisions_equal_optunas(sqlite_world: DatabaseWorld, options: dict[str, Any], direction: str) -> None:
    pruner = {"name": "Median", "options": options}
    sqlite_world.spec = study_spec(search={"pruner": pruner}, direction=direction)
    study = await sqlite_world.open()
    theirs_pruner = _optunas(MedianOptions.model_validate(options))
    reference = optuna.create_study(direction=StudyDirection[direction.upper()], pruner=theirs_pruner)
    numbers = random.Random(5)
    pruned = 0
    for trial in await study.ask(12):
        theirs = reference.ask()
        for step in range(1, 7):
            value = numbers.random()
            theirs.report(value, step)
            answer = await study.report(trial.number, 1, batch((step, value)))
            assert answer.reply.stop == theirs.should_prune()
            if answer.reply.stop:
                break
        state = EndState.PRUNED if answer.reply.stop else EndState.COMPLETE
        pruned += answer.reply.stop
        await study.tell([outcome(trial.number, value, state, last_words(study, trial.number))])
        reference.tell(theirs, None if answer.reply.stop else value, TrialState[state.name])
    assert 0 < pruned < 12


@settings(max_examples=60, deadline=None)
@example([{}, {}, {}, {}, {0: 0.1, 6: -math.inf}], {0: 0.1, 6: 0.1}, {}, StudyDirection.MINIMIZE)
@given(
    st.lists(curves, max_size=8),
    curves,
    st.sampled_from(OPTIONS),
    st.sampled_from([StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]),
)
def test_the_median_rule_is_optunas_for_any_curves(
    complete: list[dict[int, float]], running: dict[int, float], options: dict[str, Any], direction: StudyDirection
) -> None:
    parsed = MedianOptions.model_validate(options)
    study = optuna.create_study(direction=direction)
    rule = MedianRule(parsed, direction)
    for curve in complete:
        study.add_trial(create_trial(value=0.0, intermediate_values=curve))
        rule.add_complete(study.trials[-1])
    trial = create_trial(state=TrialState.RUNNING, intermediate_values=running)
    so_far = Curve(study_spec(direction=direction.name.capitalize()).objective, running)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # numpy's, of NaN and infinities
        expected = _optunas(parsed).prune(study, trial)
    standing = so_far.standing
    assert (standing is not None and rule.should_prune(standing)) == expected


def _optunas(options: MedianOptions) -> MedianPruner:
    return MedianPruner(
        options.n_startup_trials,
        options.n_warmup_steps,
        options.interval_steps,
        n_min_trials=options.n_min_trials,
    )


async def _with_a_good_trial(world: DatabaseWorld) -> Any:
    world.spec = study_spec(search=pruning())
    study = await world.open()
    await study.ask(3)
    await study.report(0, 1, batch((1, 0.5), (2, 0.6)))
    await study.tell([outcome(0, 0.6)])
    return study


async def test_a_decision_is_the_same_for_a_repeated_report_and_after_a_restart(world: DatabaseWorld) -> None:
    study = await _with_a_good_trial(world)
    world.clock.advance(1)
    decided_at = world.clock.now()
    answer = await study.report(1, 1, batch((1, 0.1)))
    assert (answer.reply.reason, answer.wake) == ("Pruned", True)
    assert answer.decision_seconds is not None
    world.clock.advance(1)
    for _ in range(2):
        again = await study.report(1, 1, batch((1, 0.1)))
        assert (again.reply.stop, again.reply.reason, again.wake) == (True, "Pruned", False)
        assert again.decision_seconds is None
        better = await study.report(1, 1, batch((2, 0.99)))
        assert (better.reply.reason, better.wake) == ("Pruned", False)
        assert study.history().open[0].prune_decided_at == decided_at
        study = await world.reopen()


async def test_no_attempt_follows_the_decision_to_prune(world: DatabaseWorld) -> None:
    study = await _with_a_good_trial(world)
    await study.report(1, 1, batch((1, 0.1)))
    before = study.history().open[0]
    await study.start_attempt(new_attempt(1, 2))
    assert study.history().open[0] == before
    assert (await study.report(1, 1, batch((2, 0.1)))).reply.reason == "Pruned"


async def test_a_decision_that_could_not_be_stored_is_made_again(world: DatabaseWorld) -> None:
    study = await _with_a_good_trial(world)
    writes_of_the_report = 2
    with FaultyStatements(world.database, writes_of_the_report + 1) as faults, pytest.raises(StorageUnavailable):
        await study.report(1, 1, batch((1, 0.1)))
    assert faults.fired
    assert study.history().open[0].prune_decided_at is None
    assert (await study.report(1, 1, batch((1, 0.1)))).reply.reason == "Pruned"


async def test_a_report_that_was_stored_but_not_judged_before_a_crash_is_judged_after_it(
    world: DatabaseWorld,
) -> None:
    study = await _with_a_good_trial(world)
    with FaultyStatements(world.database, 3), pytest.raises(StorageUnavailable):
        await study.report(1, 1, batch((1, 0.1)))
    study = await world.reopen()
    assert (await study.report(1, 1, batch((1, 0.1)))).reply.reason == "Pruned"


async def test_a_report_without_the_objective_decides_nothing(world: DatabaseWorld) -> None:
    study = await _with_a_good_trial(world)
    answer = await study.report(1, 1, ReportBatch((Report(1, {"loss": 9.0}),)))
    assert (answer.reply.stop, answer.decision_seconds) == (False, None)


async def test_a_trial_that_says_it_is_complete_is_not_pruned(world: DatabaseWorld) -> None:
    study = await _with_a_good_trial(world)
    answer = await study.report(1, 1, batch((1, 0.1), end=FinalState.COMPLETE))
    assert (answer.reply.stop, answer.decision_seconds) == (False, None)
    assert study.history().open[0].prune_decided_at is None


async def test_without_a_pruner_nothing_is_decided(world: DatabaseWorld) -> None:
    world.spec = study_spec()
    study = await world.open()
    await study.ask(2)
    await study.report(0, 1, batch((1, 0.9)))
    await study.tell([outcome(0)])
    answer = await study.report(1, 1, batch((1, -1e9)))
    assert (answer.reply.stop, answer.decision_seconds) == (False, None)


async def test_a_trial_that_starts_afresh_is_not_to_be_pruned_for_what_another_one_reported(
    world: DatabaseWorld,
) -> None:
    study = await _with_a_good_trial(world)
    assert (await study.report(1, 1, batch((1, 0.1)))).reply.stop
    afresh = new_attempt(1, 2, after=last_words(study, 1), first=2)
    assert await study.start_attempt(afresh)
    assert study.history().open[0].prune_decided_at is None
    study = await world.reopen()
    assert study.history().open[0].prune_decided_at is None
    assert not (await study.report(1, 2, batch((1, 1.0)))).reply.stop
    await study.tell([outcome(1, 1.0)])
    storage = RDBStorage(world.database.url.render_as_string(hide_password=False))
    theirs = optuna.load_study(study_name=f"{KEY.namespace}/{KEY.name}/{KEY.uid}", storage=storage)
    assert theirs.trials[1].intermediate_values == {1: 1.0}
    storage.engine.dispose()


async def test_a_pruned_trial_keeps_its_last_value(world: DatabaseWorld) -> None:
    study = await _with_a_good_trial(world)
    await study.report(1, 1, batch((1, 0.1)))
    await study.tell([outcome(1, study.history().open[0].value, EndState.PRUNED, last_words(study, 1))])
    finished = study.finished(1)
    assert finished is not None
    assert (finished.state, finished.value) == (EndState.PRUNED, 0.1)


async def test_a_batch_is_decided_on_as_its_values_one_by_one(world: DatabaseWorld) -> None:
    study = await _with_a_good_trial(world)
    answer = await study.report(1, 1, batch((1, 0.1), (9, 0.9)))
    assert answer.reply.reason == "Pruned", "step 9, which no other trial has reached, does not hide step 1"
    answer = await study.report(2, 1, batch((9, 0.9), (2, 0.1), (1, 0.9)))
    assert not answer.reply.stop, "its best value counts, and steps are in their order"
