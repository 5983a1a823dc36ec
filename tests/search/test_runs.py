"""Trials of several runs in Optuna's tables, and as pruners see them."""

from __future__ import annotations

import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from tests.builders import new_attempt
from tests.search.studies import batch, last_words, outcome, pruning, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_contract import FinalState, Report, TrialEnd
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.run_values import mean_of, spread_of
from tuning_operator.decisions.trials import EarlierAttempts, EndState
from tuning_operator.errors import StorageDamaged, TooManySteps
from tuning_operator.search import open_trial, tables
from tuning_operator.search.open_trial import TrialProgress

METRIC = "accuracy"


def _spec(repeats: int, search: dict[str, object] | None = None) -> StudySpec:
    spec = study_spec(search=search)
    return spec.model_copy(update={"trial": spec.trial.model_copy(update={"repeats": repeats})})


def _optunas_trials(world: DatabaseWorld) -> list[optuna.trial.FrozenTrial]:
    """Return the trials as Optuna's own storage reads them."""
    with world.in_optuna() as study:
        return study.trials


async def test_optuna_sees_the_mean_of_the_runs_at_each_step_and_each_runs_value(world: DatabaseWorld) -> None:
    world.spec = _spec(2)
    study = await world.open()
    await study.ask(1)
    await study.report(0, 1, batch((1, 0.5), (2, 1.0), end=FinalState.COMPLETE), run=0)
    assert _optunas_trials(world)[0].intermediate_values == {1: 0.5, 2: 1.0}
    await study.report(0, 1, batch((1, 0.0), (3, 0.25), end=FinalState.COMPLETE), run=1)
    await study.tell([outcome(0, after=last_words(study, 0))])
    (told,) = _optunas_trials(world)
    assert told.intermediate_values == {1: 0.25, 2: 1.0, 3: 0.25}
    assert told.value == 0.625
    assert told.user_attrs["tuning:run_values"] == {"0": 1.0, "1": 0.25}
    assert told.user_attrs["tuning:std"] == 0.375
    assert study._frozen()[0].intermediate_values == told.intermediate_values, "memory has what the database has"


async def test_an_attempts_steps_replace_those_of_its_run_alone(world: DatabaseWorld) -> None:
    world.spec = _spec(2)
    study = await world.open()
    await study.ask(1)
    await study.report(0, 1, batch((1, 0.5), (2, 1.0)), run=0)
    await study.report(0, 1, batch((1, 0.1)), run=1)
    await study.start_attempt(new_attempt(0, 2))
    await study.report(0, 2, batch((1, 0.3)), run=0)
    assert _optunas_trials(world)[0].intermediate_values == {1: pytest.approx(0.2)}


async def test_a_step_is_judged_once_all_runs_have_come_to_it_or_ended(world: DatabaseWorld) -> None:
    world.spec = _spec(2, pruning())
    study = await world.open()
    await study.ask(2)
    for run in range(2):
        await study.report(0, 1, batch((1, 0.5), (2, 0.6), (3, 0.7), end=FinalState.COMPLETE), run=run)
    await study.tell([outcome(0, after=last_words(study, 0))])
    assert not (await study.report(1, 1, batch((1, 0.1)), run=0)).reply.stop, "the other run may be good"
    assert not (await study.report(1, 1, batch((1, 0.95)), run=1)).reply.stop, "on the average they are"
    assert not (await study.report(1, 1, batch(end=FinalState.COMPLETE), run=1)).reply.stop
    study = await world.reopen()
    answer = await study.report(1, 1, batch((2, 0.1)), run=0)
    assert answer.reply.reason == "Pruned", "its best mean, of step 1, is below the median of step 2"
    trial = study._open[1]
    assert trial.curve.values() == {1: pytest.approx(0.525), 2: 0.1}


async def test_runs_that_are_to_stop_all_hear_of_it_and_after_a_restart_too(world: DatabaseWorld) -> None:
    world.spec = _spec(2, pruning())
    study = await world.open()
    await study.ask(2)
    for run in range(2):
        await study.report(0, 1, batch((1, 0.5), end=FinalState.COMPLETE), run=run)
    await study.tell([outcome(0, after=last_words(study, 0))])
    await study.report(1, 1, batch((1, 0.1)), run=1)
    assert (await study.report(1, 1, batch((1, 0.2)), run=0)).reply.reason == "Pruned"
    study = await world.reopen()
    assert (await study.report(1, 1, batch((1, 0.1)), run=1)).reply.reason == "Pruned"


async def test_a_diverged_run_is_left_out_of_what_is_kept_of_the_runs(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec(2)
    study = await sqlite_world.open()
    await study.ask(1)
    await study.report(0, 1, batch((1, math.nan)), run=0)
    await study.report(0, 1, batch((1, 0.5)), run=1)
    await study.tell([outcome(0, None, EndState.FAILED, last_words(study, 0))])
    assert (await sqlite_world.reopen()).finished(0).run_values == {1: 0.5}  # type: ignore[union-attr]


async def test_a_report_of_a_run_that_no_trial_has_is_damage(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec(3)
    study = await sqlite_world.open()
    await study.ask(1)
    await study.report(0, 1, batch((1, 0.5)), run=2)
    with sqlite_world.database.transaction() as connection:
        connection.execute(update(tables.reports).values(run=7))
    with pytest.raises(StorageDamaged, match="trial 0 has no run 7"):
        await sqlite_world.reopen()


def test_all_runs_of_a_trial_share_the_room_for_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_trial, "MAX_STEPS", 3)
    trial = _progress(2)
    trial.accept(trial.sift(batch((1, 0.1), (2, 0.2)).reports, run=0), 0.0, 0.0, run=0)
    trial.check_room(trial.sift(batch((1, 0.1)).reports, run=1), run=1)
    with pytest.raises(TooManySteps):
        trial.check_room(trial.sift(batch((1, 0.1), (2, 0.2)).reports, run=1), run=1)


def test_the_run_that_is_silent_longest_counts() -> None:
    trial = _progress(3)
    assert trial.view().silent_since is None
    trial.accept(trial.sift(batch((1, 0.1)).reports), 10.0, 10.0, run=0)
    trial.accept(trial.sift(batch((1, 0.1)).reports, run=1), 20.0, 20.0, run=1)
    assert (trial.view().silent_since, trial.view().last_report_at) == (10.0, 20.0)
    trial.accept_end(TrialEnd(FinalState.COMPLETE), 25.0, run=0)
    assert trial.view().silent_since == 20.0, "the third run may wait for its pod as long as others report"
    trial.accept_end(TrialEnd(FinalState.COMPLETE), 90.0, run=1)
    assert trial.view().silent_since == 90.0, "the third run could not begin before"


VALUES = st.sampled_from([0.1, 0.25, 0.5, -1.0, 2.0])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 2), st.integers(1, 5), VALUES),
        st.tuples(st.integers(0, 2), st.just("end"), st.just(0.0)),
        st.tuples(st.just(0), st.just("attempt"), st.just(0.0)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_the_judged_mean_follows_from_the_runs_whatever_the_order_of_their_reports(
    events: list[tuple[int, int | str, float]],
) -> None:
    trial, stored = _progress(3), dict[int, float]()
    for run, what, value in events:
        if what == "attempt":
            trial.start(trial.attempt + 1, EarlierAttempts())
        elif what == "end":
            trial.accept_end(TrialEnd(FinalState.COMPLETE), 0.0, run=run)
        elif trial.runs[run].end is None:
            assert isinstance(what, int)
            new = trial.sift([Report(what, {METRIC: value})], run=run)
            if not new.reports:
                continue
            values, stale = trial.changes(new, run=run)
            trial.accept(new, 0.0, 0.0, run=run)
            stored = {step: kept for step, kept in stored.items() if step not in stale} | dict(values)
            assert stored == trial.values_by_step(), "what is written is what follows from the runs"
            assert trial.curve.values() == _expected(trial)
    assert trial.undecided == [] or trial.undecided[-1].step <= 5


def _expected(trial: TrialProgress) -> dict[int, float]:
    """Return the mean at the steps that all runs that go on have come to."""
    going_on = [run for run in trial.runs if run.end is None]
    until = min((max(run.curve.steps, default=-1) for run in going_on), default=5)
    return {step: value for step, value in trial.values_by_step().items() if step <= until}


def _progress(runs: int) -> TrialProgress:
    return TrialProgress(0, 0, [study_spec().objective], {}, 0, 0.0, runs=runs)


def test_mean_and_spread_of_what_is_beyond_a_float_are_not_finite() -> None:
    assert math.isnan(mean_of([1.7e308, 1.7e308]))
    assert spread_of([1.0]) is None
    assert spread_of([1.0, math.nan]) is None
    assert spread_of([0.5, 0.25]) == 0.125
    assert spread_of([1.7e308, -1.7e308]) in (None, pytest.approx(1.7e308))
