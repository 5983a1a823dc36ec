"""Studies of several objectives: how their trials end, what ends them, and what their status shows."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from tests.builders import NOW, ended, finished, job, reported, snapshot, spec
from tuning_operator.api.status import MAX_FRONT
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import Outcome
from tuning_operator.decisions.history import History
from tuning_operator.decisions.hypervolume import REFERENCE_TRIALS
from tuning_operator.decisions.late_words import still_holds, with_all_reports
from tuning_operator.decisions.stopping import verdict_of
from tuning_operator.decisions.study_status import study_status
from tuning_operator.decisions.tally import Tally
from tuning_operator.decisions.trial_end import outcome_of
from tuning_operator.decisions.trials import FinishedTrial, MuteRun
from tuning_operator.decisions.usage import Usage

OBJECTIVES: list[dict[str, Any]] = [
    {"metric": "accuracy", "direction": "Maximize"},
    {"metric": "size", "direction": "Minimize"},
]
GOALS = [{**OBJECTIVES[0], "goal": 0.9}, {**OBJECTIVES[1], "goal": 100}]
LATENCY = [{"metric": "latency", "max": 20}]
UNUSED = Usage(active_seconds=0.0, trial_seconds=0.0, gpus=1)


def _trial(number: int, accuracy: float, size: float, **further: float) -> FinishedTrial:
    return finished(number, value=accuracy, further={"size": size, **further}, ended_at=NOW + number)


def _history(of: StudySpec, *trials: FinishedTrial) -> History:
    tally = Tally(of.objectives, of.metric_constraints)
    tally.add_all(trials)
    return History(total=len(trials), started_at=NOW, **tally.sums())


def _told(value: float | None, further: dict[str, float], **fields: Any) -> Outcome:
    trial = reported(value=value, further=further, end=ended("Complete"), metrics=("accuracy", "loss"))  # type: ignore[arg-type]
    found = outcome_of(trial, None, snapshot(trial, objectives=OBJECTIVES, **fields))
    assert found is not None
    return found


def test_a_trial_is_complete_with_a_value_of_each_objective() -> None:
    found = _told(0.8, {"size": 30.0})
    assert (found.state, found.value, found.further) == ("Complete", 0.8, {"size": 30.0})


@pytest.mark.parametrize(
    ("value", "further", "missing"),
    [(0.8, {}, "`size`"), (None, {"size": 3.0}, "`accuracy`"), (None, {}, "`accuracy` and `size`")],
)
def test_a_trial_without_a_value_of_one_objective_fails_and_says_which(
    value: float | None, further: dict[str, float], missing: str
) -> None:
    found = _told(value, further)
    assert (found.state, found.reason, found.value, found.further) == ("Failed", "NoObjective", None, {})
    assert f"without a value of {missing}: it reported accuracy, loss" in found.message


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (("size",), "run 1 of the trial ended without a value of `size`; report that metric in each run"),
        (
            ("accuracy", "size"),
            "run 1 of the trial ended without a value of `accuracy` and `size`; report these metrics in each run",
        ),
    ],
)
def test_a_trial_one_of_whose_runs_lacks_an_objective_fails_and_says_which(
    missing: tuple[str, ...], message: str
) -> None:
    trial = reported(value=0.8, end=ended("Complete"), mute_run=MuteRun(1, missing))
    found = outcome_of(trial, None, snapshot(trial, objectives=OBJECTIVES))
    assert found is not None
    assert (found.reason, found.message) == ("NoObjective", message)


def test_a_trial_with_an_objective_that_is_not_finite_has_diverged() -> None:
    found = _told(0.8, {"size": math.nan})
    assert (found.state, found.reason) == ("Failed", "NotFinite")
    assert "`size` became nan" in found.message


def test_a_complete_trial_that_breaks_a_bound_says_so() -> None:
    found = _told(0.8, {"size": 3.0, "latency": 25.0}, metricConstraints=LATENCY)
    assert (found.state, found.message) == ("Complete", "`latency` 25 is above 20")
    assert (
        "`latency` of `metricConstraints` was not reported"
        in _told(0.8, {"size": 3.0}, metricConstraints=LATENCY).message
    )


def test_what_comes_while_an_end_is_decided_counts_in_every_objective() -> None:
    before = reported(value=0.8, further={"size": 30.0})
    decided = outcome_of(
        before, job(phase="Complete"), snapshot(before, jobs=(job(phase="Complete"),), objectives=OBJECTIVES)
    )
    assert decided is not None
    now = reported(value=0.9, further={"size": 20.0})
    assert still_holds(decided, now)
    assert with_all_reports(decided, now).further == {"size": 20.0}
    assert not still_holds(decided, reported(value=0.9, further={"size": math.inf}))


def test_there_is_a_front_and_no_best_trial() -> None:
    history = _history(spec(objectives=OBJECTIVES), _trial(0, 0.5, 10), _trial(1, 0.9, 50), _trial(2, 0.4, 60))
    assert history.best is None
    assert [member.trial.number for member in history.front.members] == [1, 0]


def test_the_order_in_which_a_history_is_read_does_not_matter() -> None:
    rng = random.Random(1)
    trials = [_trial(number, rng.random(), rng.random()) for number in range(50)]
    several = spec(objectives=OBJECTIVES)
    assert _history(several, *trials) == _history(several, *reversed(trials))


def test_the_study_ends_when_one_trial_reaches_all_goals() -> None:
    of = spec(objectives=GOALS)
    assert verdict_of(of, _history(of, _trial(0, 0.95, 500), _trial(1, 0.5, 50)), UNUSED) is None
    verdict = verdict_of(of, _history(of, _trial(0, 0.95, 500), _trial(1, 0.92, 90)), UNUSED)
    assert verdict is not None
    assert verdict.reason == "GoalReached"
    assert verdict.message == "trial 1 reached accuracy 0.92 and size 90; the goals were 0.9 and 100"


def test_objectives_without_a_goal_are_not_asked_for() -> None:
    of = spec(objectives=[GOALS[0], OBJECTIVES[1]])
    verdict = verdict_of(of, _history(of, _trial(0, 0.95, 1e9)), UNUSED)
    assert verdict is not None
    assert verdict.message == "trial 0 reached accuracy 0.95; the goal was 0.9"


@pytest.mark.parametrize("objectives", [GOALS, GOALS[:1]])
def test_a_trial_that_breaks_a_bound_reaches_no_goal(objectives: list[dict[str, Any]]) -> None:
    of = spec(objectives=objectives, metricConstraints=LATENCY)
    assert verdict_of(of, _history(of, _trial(0, 0.95, 5, latency=21)), UNUSED) is None
    assert verdict_of(of, _history(of, _trial(0, 0.95, 5, latency=20)), UNUSED) is not None


def test_the_best_trial_keeps_the_bounds_whatever_the_others_reach() -> None:
    of = spec(metricConstraints=LATENCY)
    broken = [finished(0, value=0.99, further={"latency": 50.0}), finished(1, value=0.98, further={"latency": 30.0})]
    history = _history(of, *broken)
    assert history.best is not None
    assert history.best.number == 1, "the one that violates them least"
    history = _history(of, *broken, finished(2, value=0.1, further={"latency": 3.0}))
    assert history.best is not None
    assert history.best.number == 2
    assert [step.value for step in history.improvements] == [0.1]


def test_a_plateau_is_counted_by_shares_of_the_hypervolume() -> None:
    first = [_trial(number, number / 10, 10.0 * number) for number in range(REFERENCE_TRIALS)]
    of = spec(objectives=OBJECTIVES, maxTrials=99, stopping={"plateau": {"trials": 3, "minImprovement": 0.05}})
    worse = [_trial(20 + number, 0.0, 90.0) for number in range(2)]
    assert verdict_of(of, _history(of, *first, *worse), UNUSED) is None
    a_little = _trial(30, 0.9, 89.0)
    verdict = verdict_of(of, _history(of, *first, *worse, a_little), UNUSED)
    assert verdict is not None
    assert verdict.reason == "Plateau"
    assert "did not add 5.000% to the hypervolume" in verdict.message
    assert verdict_of(of, _history(of, *first, *worse, _trial(30, 0.9, 1.0)), UNUSED) is None


def test_the_status_shows_the_front_its_hypervolume_and_the_best_of_each_objective() -> None:
    of = spec(objectives=OBJECTIVES, metricConstraints=LATENCY)
    trials = [_trial(number, number / 10, 10.0 * number, latency=5.0) for number in range(REFERENCE_TRIALS)]
    seen = snapshot(objectives=OBJECTIVES, metricConstraints=LATENCY, history=_history(of, *trials))
    shown = study_status(seen, read_token="")
    assert (shown.best, shown.result) == (None, f"front of {REFERENCE_TRIALS}")
    assert shown.front_size == REFERENCE_TRIALS
    assert [trial.number for trial in shown.front] == list(range(REFERENCE_TRIALS))[::-1]
    assert shown.front[0].values == {"accuracy": 0.9, "size": 90.0, "latency": 5.0}
    assert shown.hypervolume == pytest.approx(seen.history.hypervolume.volume)
    best = [(each.metric, each.best, each.number) for each in shown.objectives]
    assert best == [("accuracy", 0.9, 9), ("size", 0.0, 0)]
    assert [each.reference for each in shown.objectives] == pytest.approx([-0.09, 99.0])
    assert shown.recent[0].values == {"accuracy": 0.9, "size": 90.0, "latency": 5.0}


def test_the_status_of_trials_that_all_break_a_bound_says_so() -> None:
    of = spec(objectives=OBJECTIVES, metricConstraints=LATENCY)
    seen = snapshot(
        objectives=OBJECTIVES, metricConstraints=LATENCY, history=_history(of, _trial(0, 0.5, 3, latency=30))
    )
    shown = study_status(seen, read_token="")
    assert [trial.infeasible for trial in shown.front] == ["`latency` 30 is above 20"]
    assert shown.objectives[0].reference is None


def test_the_status_stays_small_however_long_the_front_is() -> None:
    of = spec(objectives=OBJECTIVES)
    trials = [_trial(number, number / 1000, 10.0 * number) for number in range(1000)]
    shown = study_status(snapshot(objectives=OBJECTIVES, history=_history(of, *trials)), read_token="")
    assert (len(shown.front), shown.front_size) == (MAX_FRONT, 1000)
    assert len(json.dumps(shown.to_document())) < 10_000
