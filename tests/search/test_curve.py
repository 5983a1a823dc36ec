"""A curve says at any time what a look at all values would say, and a trial's is bounded."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import new_attempt
from tests.search.studies import KEY, METRIC, batch, outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_contract import FinalState, Report, ReportBatch
from tuning_operator.api.study import Objective
from tuning_operator.decisions.trial_value import reduce_values
from tuning_operator.errors import TooManySteps
from tuning_operator.search import open_trial
from tuning_operator.search.curve import Curve, Standing

numbers = st.one_of(st.floats(-1e300, 1e300), st.sampled_from([math.nan, math.inf, -math.inf]))
curves = st.lists(st.tuples(st.integers(0, 20), numbers), max_size=12, unique_by=lambda pair: pair[0])
objectives = st.builds(
    lambda reduce, direction: Objective.model_validate({"metric": METRIC, "direction": direction, "reduce": reduce}),
    st.sampled_from(["Last", "Best", "Mean"]),
    st.sampled_from(["Maximize", "Minimize"]),
)


@settings(max_examples=200, deadline=None)
@given(objectives, curves, st.sets(st.integers(0, 20)))
def test_a_curve_is_what_its_values_say(
    objective: Objective, values: list[tuple[int, float]], removed: set[int]
) -> None:
    curve = Curve(objective)
    for step, value in values:
        curve.add({step: value})
    _assert_equal(curve, objective, dict(values))
    curve.remove(removed)
    _assert_equal(curve, objective, {step: value for step, value in values if step not in removed})


def test_a_mean_beyond_a_float_is_not_finite() -> None:
    objective = Objective.model_validate({"metric": METRIC, "direction": "Maximize", "reduce": "Mean"})
    curve = Curve(objective, {1: 1.7e308, 2: 1.7e308})
    assert not curve.is_finite


async def test_a_report_does_not_look_at_the_steps_before(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = await sqlite_world.open()
    await study.ask(1)
    await study.report(0, 1, batch(*((step, 0.5) for step in range(500))))
    progress = study._open[0]
    monkeypatch.setattr(progress.curve, "_values", _NotToBeRead(progress.curve._values))
    monkeypatch.setattr(progress.runs[0], "_steps", _NotToBeSearched(progress.runs[0]._steps))
    await study.report(0, 1, batch((500, 0.75)))
    (trial,) = study.history().open
    assert (trial.last_step, trial.value) == (500, 0.75)


async def test_a_trial_may_report_so_many_steps(sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_trial, "MAX_STEPS", 4)
    study = await sqlite_world.open()
    await study.ask(1)
    await study.report(0, 1, batch((1, 0.1), (2, 0.2)))
    await study.report(0, 1, ReportBatch((Report(3, {"loss": 1.0}),)))
    with pytest.raises(TooManySteps, match="at most 4 steps; report less often, for example once an epoch"):
        await study.report(0, 1, batch((4, 0.4), (5, 0.5)))
    assert [report.step for report in await asyncio.to_thread(study.reports, 0)] == [1, 2, 3]
    await study.report(0, 1, batch((1, 0.1), (4, 0.4)))
    await study.report(0, 1, batch((4, 0.4), end=FinalState.COMPLETE))
    assert study.history().open[0].value == 0.4


async def test_steps_that_a_newer_attempt_keeps_count_too(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_trial, "MAX_STEPS", 4)
    study = await sqlite_world.open()
    await study.ask(1)
    await study.report(0, 1, batch(*((step, 0.5) for step in range(4))))
    await study.start_attempt(new_attempt(0, 2))
    with pytest.raises(TooManySteps):
        await study.report(0, 2, batch((4, 0.5)))
    await study.report(0, 2, batch((2, 0.5), (3, 0.5)))
    with pytest.raises(TooManySteps):
        await study.report(0, 2, batch((4, 0.5)))


async def test_the_mirror_has_the_intermediate_values_of_trials_that_ended(sqlite_world: DatabaseWorld) -> None:
    study = await sqlite_world.repositories.open(KEY, study_spec())
    await study.ask(1)
    await study.report(0, 1, batch((1, 0.1), (2, 0.2)))
    await study.tell([outcome(0)])
    assert study._frozen()[0].intermediate_values == {1: 0.1, 2: 0.2}


class _NotToBeRead(dict[int, float]):
    def __iter__(self) -> object:  # type: ignore[override]
        raise AssertionError("somebody looks at all values")

    keys = values = items = copy = __iter__  # type: ignore[assignment]


class _NotToBeSearched(set[int]):
    def __iter__(self) -> object:  # type: ignore[override]
        raise AssertionError("somebody looks at all steps")


def _assert_equal(curve: Curve, objective: Objective, values: dict[int, float]) -> None:
    assert curve.values() == values or any(math.isnan(value) for value in values.values())
    assert sorted(curve.steps) == sorted(values)
    expected = reduce_values(values, objective.reduce, objective.direction)
    assert repr(curve.value) == repr(expected) or curve.value == expected
    assert curve.is_finite == (expected is None or math.isfinite(expected))
    ascending = sorted(values)
    if not ascending:
        assert curve.standing is None
        return
    before = next((low for low, high in pairwise(ascending) if high == ascending[-1]), None)
    known = [value for value in values.values() if not math.isnan(value)]
    best = None if not known else max(known) if objective.direction == "Maximize" else min(known)
    assert repr(curve.standing) == repr(Standing(ascending[-1], before, values[ascending[-1]], best))
