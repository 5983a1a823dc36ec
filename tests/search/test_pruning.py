"""Trials are pruned as Optuna would, once, and for good."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import optuna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
)
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from tests.builders import new_attempt
from tests.search.studies import KEY, batch, last_words, outcome, pruning, study_spec
from tests.search.worlds import DatabaseWorld, FaultyStatements
from tuning_contract import FinalState, Report, ReportBatch
from tuning_operator.api.pruners import HyperbandOptions, Pruner
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import StorageUnavailable
from tuning_operator.search import suggestions
from tuning_operator.search.curve import Curve
from tuning_operator.search.halving import HyperbandRule, bracket_count
from tuning_operator.search.open_trial import TrialProgress
from tuning_operator.search.pruners import judge, make_pruner, take_back
from tuning_operator.search.verdicts import TrialPruner, Verdict


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """On a busy machine `ask` would hand over fewer trials than are asked for here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suggestions, "_PATIENCE_SECONDS", 60.0)
        yield


VALUES = st.sampled_from([0.1, 0.2, 0.3, 1 / 3, 0.7, -2.0, math.nan, math.inf, -math.inf])
curves = st.dictionaries(st.integers(0, 6), VALUES, max_size=5)
DIRECTIONS = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
SEED = 7

PRUNERS: list[tuple[dict[str, Any], Callable[[], BasePruner]]] = [
    ({"name": "Median"}, MedianPruner),
    ({"name": "Median", "options": {"nStartupTrials": 2, "nWarmupSteps": 2}}, lambda: MedianPruner(2, 2)),
    (
        {"name": "Median", "options": {"nStartupTrials": 1, "intervalSteps": 2, "nMinTrials": 3}},
        lambda: MedianPruner(1, 0, 2, n_min_trials=3),
    ),
    ({"name": "Percentile", "options": {"nStartupTrials": 0}}, lambda: PercentilePruner(25.0, 0)),
    ({"name": "Percentile", "options": {"percentile": 90, "nStartupTrials": 1}}, lambda: PercentilePruner(90, 1)),
    ({"name": "Percentile", "options": {"percentile": 0, "nStartupTrials": 1}}, lambda: PercentilePruner(0, 1)),
    ({"name": "Percentile", "options": {"percentile": 100, "nStartupTrials": 1}}, lambda: PercentilePruner(100, 1)),
    ({"name": "Threshold", "options": {"lower": 0.15}}, lambda: ThresholdPruner(lower=0.15)),
    (
        {"name": "Threshold", "options": {"lower": -1, "upper": 0.3, "nWarmupSteps": 1, "intervalSteps": 2}},
        lambda: ThresholdPruner(-1, 0.3, 1, 2),
    ),
    ({"name": "Patient", "options": {"patience": 0}}, lambda: PatientPruner(None, 0)),
    ({"name": "Patient", "options": {"patience": 2, "minDelta": 0.1}}, lambda: PatientPruner(None, 2, 0.1)),
    (
        {"name": "Patient", "options": {"patience": 1, "wrappedPruner": {"name": "Percentile", "options": {}}}},
        lambda: PatientPruner(PercentilePruner(25.0), 1),
    ),
]
"""Ours beside Optuna's, of those that look at complete trials and the trial itself."""

HALVINGS: list[tuple[dict[str, Any], Callable[[], BasePruner]]] = [
    ({"name": "SuccessiveHalving"}, lambda: SuccessiveHalvingPruner(1)),
    (
        {"name": "SuccessiveHalving", "options": {"minResource": 2, "reductionFactor": 2, "minEarlyStoppingRate": 1}},
        lambda: SuccessiveHalvingPruner(2, 2, 1),
    ),
    (
        {"name": "SuccessiveHalving", "options": {"reductionFactor": 3, "bootstrapCount": 2}},
        lambda: SuccessiveHalvingPruner(1, 3, 0, 2),
    ),
    ({"name": "Hyperband", "options": {"maxResource": 20}}, lambda: HyperbandPruner(1, 20, 3)),
    (
        {"name": "Hyperband", "options": {"minResource": 2, "maxResource": 15, "reductionFactor": 2}},
        lambda: HyperbandPruner(2, 15, 2),
    ),
]
"""Those that look at all trials at the rungs."""


def _names(value: Any) -> str:
    return str(value) if isinstance(value, dict) else ""


@dataclass
class Running:
    """A running trial as a pruner sees it."""

    number: int
    curve: Curve
    rungs: dict[int, float] = field(default_factory=dict)


def _rule(pruner: dict[str, Any], direction: StudyDirection) -> TrialPruner:
    return make_pruner(Pruner.model_validate(pruner), direction, SEED)


def _curve(direction: StudyDirection, values: dict[int, float]) -> Curve:
    return Curve(study_spec(direction=direction.name.capitalize()).objective, values)


def _study(direction: StudyDirection) -> optuna.Study:
    return optuna.create_study(direction=direction, study_name=str(SEED))


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("ours", "optunas"), PRUNERS, ids=lambda pruner: str(pruner) if isinstance(pruner, dict) else ""
)
@settings(max_examples=60, deadline=None)
@example([{}, {}, {}, {}, {0: 0.1, 6: -math.inf}], {0: 0.1, 6: 0.1}, StudyDirection.MINIMIZE)
@given(st.lists(curves, max_size=8), curves, st.sampled_from(DIRECTIONS))
def test_a_rule_is_optunas_for_any_curves(
    ours: dict[str, Any],
    optunas: Callable[[], BasePruner],
    complete: list[dict[int, float]],
    running: dict[int, float],
    direction: StudyDirection,
) -> None:
    study, rule = _study(direction), _rule(ours, direction)
    for curve in complete:
        study.add_trial(create_trial(value=0.0, intermediate_values=curve))
        rule.add_complete(study.trials[-1])
    trial = Running(len(complete), _curve(direction, running))
    expected = optunas().prune(study, create_trial(state=TrialState.RUNNING, intermediate_values=running))
    standing = trial.curve.standing
    assert (standing is not None and rule.judge(trial, standing).prune) == expected


@pytest.mark.parametrize(
    ("ours", "optunas"), HALVINGS, ids=lambda pruner: str(pruner) if isinstance(pruner, dict) else ""
)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 4), VALUES), max_size=60),
    st.sampled_from(DIRECTIONS),
)
def test_halving_is_optunas_for_any_order_of_reports(
    ours: dict[str, Any],
    optunas: Callable[[], BasePruner],
    reports: list[tuple[int, int, float]],
    direction: StudyDirection,
) -> None:
    """Each report is of a trial, so many steps after its last one, with a value."""
    study, rule, theirs = _study(direction), _rule(ours, direction), optunas()
    trials = [study.ask() for _ in range(8)]
    running = {number: Running(number, _curve(direction, {})) for number in range(8)}
    for number, distance, value in reports:
        trial = running.get(number)
        if trial is None:
            continue
        step = max(trial.curve.steps, default=0) + distance
        if step >= 15:
            del running[number]  # it is complete: Optuna's Hyperband would go on judging
            continue
        trials[number].report(value, step)
        trial.curve.add({step: value})
        assert trial.curve.standing is not None
        verdict = rule.judge(trial, trial.curve.standing)
        trial.rungs |= verdict.rungs
        rule.add_rungs(number, verdict.rungs)
        assert verdict.prune == theirs.prune(study, study.trials[number])
        if verdict.prune:
            del running[number]


def test_rungs_fall_where_epochs_that_are_counted_from_one_are() -> None:
    halving = _rule({"name": "SuccessiveHalving"}, StudyDirection.MAXIMIZE)
    trial = Running(0, _curve(StudyDirection.MAXIMIZE, {}))
    for epoch in range(1, 65):
        trial.curve.add({epoch: 0.5})
        assert trial.curve.standing is not None
        trial.rungs |= halving.judge(trial, trial.curve.standing).rungs
    assert list(trial.rungs) == [1, 4, 16, 64]


def test_hyperband_prunes_nothing_at_the_last_epoch_and_counts_its_brackets_exactly() -> None:
    options = HyperbandOptions(max_resource=243)
    assert bracket_count(options) == 6, "1, 3, 9, 27, 81, 243; the logarithm says 4.999…"
    rule = HyperbandRule(options, StudyDirection.MAXIMIZE, SEED)
    for number in range(100):
        trial = Running(number, _curve(StudyDirection.MAXIMIZE, {243: -float(number)}))
        assert trial.curve.standing is not None
        assert 243 not in rule.judge(trial, trial.curve.standing).rungs


def test_a_verdict_that_could_not_be_stored_is_taken_back() -> None:
    rule = _rule({"name": "SuccessiveHalving"}, StudyDirection.MAXIMIZE)
    best, other = (TrialProgress(number, number, study_spec().objectives, {}, 0, 0.0) for number in (0, 1))
    for trial, value in ((best, 0.9), (other, 0.1)):
        trial.accept(trial.sift(batch((1, value)).reports), 0.0, 0.0)
    take_back(rule, best, judge(rule, best))
    assert not judge(rule, other).prune, "nobody else has come to the rung"
    assert judge(rule, other) == Verdict(False), "it has been judged there"
    assert not judge(rule, best).prune
    assert best.rungs == {1: 0.9}


async def _answers(world: DatabaseWorld, restarts: bool) -> list[bool]:
    """Return which reports of a parallel study are answered with `stop`, with or without restarts in between."""
    answers = []
    numbers = random.Random(3)
    study = await world.open()
    await study.ask(9)
    steps = dict.fromkeys(range(9), 0)
    while steps:
        number = numbers.choice([*steps][:4])
        steps[number] += 1
        world.clock.advance(1)
        value = numbers.random()
        answer = await study.report(number, 1, batch((steps[number], value)))
        answers.append(answer.reply.stop)
        world.clock.advance(1)
        if restarts:
            study = await world.reopen()
            again = await study.report(number, 1, batch((steps[number], value)))
            assert again.reply.stop == answer.reply.stop
        if answer.reply.stop or steps[number] == 6:
            state = EndState.PRUNED if answer.reply.stop else EndState.COMPLETE
            await study.tell([outcome(number, value, state, last_words(study, number))])
            del steps[number]
    return answers


@pytest.mark.parametrize(
    "pruner",
    [
        {"name": "Median", "options": {"nStartupTrials": 2}},
        {"name": "Percentile", "options": {"nStartupTrials": 2, "percentile": 60, "intervalSteps": 2}},
        {"name": "SuccessiveHalving", "options": {"reductionFactor": 2}},
        {"name": "Hyperband", "options": {"maxResource": 6, "reductionFactor": 2}},
        {"name": "Threshold", "options": {"lower": 0.1}},
        {"name": "Patient", "options": {"patience": 1, "wrappedPruner": {"name": "SuccessiveHalving"}}},
    ],
    ids=lambda pruner: str(pruner["name"]),
)
async def test_restarts_change_no_decision(sqlite_world: DatabaseWorld, pruner: dict[str, Any]) -> None:
    sqlite_world.spec = study_spec(search={"pruner": pruner})
    undisturbed = await _answers(sqlite_world, restarts=False)
    await sqlite_world.repositories.delete_history(KEY)
    assert await _answers(sqlite_world, restarts=True) == undisturbed
    assert {True, False} == set(undisturbed)


async def test_a_changed_parallelism_forgets_no_rung(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = study_spec(search={"pruner": {"name": "SuccessiveHalving"}})
    study = await sqlite_world.open()
    await study.ask(2)
    await study.report(0, 1, batch((1, 0.9)))
    sqlite_world.spec = sqlite_world.spec.model_copy(update={"parallelism": 2})
    assert await sqlite_world.open() is study
    assert (await study.report(1, 1, batch((1, 0.1)))).reply.reason == "Pruned"


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
    with world.in_optuna() as theirs:
        assert theirs.trials[1].intermediate_values == {1: 1.0}


async def test_rungs_that_another_one_came_to_count_no_more_once_a_trial_starts_afresh(world: DatabaseWorld) -> None:
    halving = {"name": "SuccessiveHalving", "options": {"reductionFactor": 2}}
    world.spec = study_spec(search={"pruner": halving})
    study = await world.open()
    await study.ask(3)
    await study.report(0, 1, batch((1, 0.9)))
    assert (await study.report(1, 1, batch((1, 0.5)))).reply.reason == "Pruned"
    assert await study.start_attempt(new_attempt(0, 2, first=2))
    assert not (await study.report(2, 1, batch((1, 0.6)))).reply.stop, "it is better than the only other one there"
    study = await world.reopen()
    assert await study.start_attempt(new_attempt(2, 2, first=2))
    assert not (await study.report(0, 2, batch((1, 0.55)))).reply.stop


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
