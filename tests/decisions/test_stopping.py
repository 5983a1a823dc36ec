from __future__ import annotations

import pytest

from tests.builders import finished, history, spec, trial
from tuning_operator.decisions.stopping import verdict_of
from tuning_operator.decisions.usage import Usage

UNUSED = Usage(active_seconds=0.0, trial_seconds=0.0, gpus=1)


def test_a_study_with_trials_left_goes_on() -> None:
    assert verdict_of(spec(), history(complete=3, best=finished()), UNUSED) is None


def test_a_study_is_complete_once_all_trials_were_asked_for() -> None:
    verdict = verdict_of(spec(maxTrials=3), history(trial(2), complete=2, best=finished()), UNUSED)
    assert verdict is not None
    assert (verdict.failed, verdict.early, verdict.reason) == (False, False, "MaxTrialsReached")


def test_a_study_without_any_complete_trial_fails_and_says_why() -> None:
    last = finished(2, "Failed", None, reason="Error", message="no data")
    verdict = verdict_of(spec(maxTrials=3), history(failed=3, recent=(last,)), UNUSED)
    assert verdict is not None
    assert (verdict.failed, verdict.reason) == (True, "NoCompleteTrial")
    assert verdict.message.endswith("Trial 2 failed with Error: no data")


@pytest.mark.parametrize("max_trials", [3, 30])
def test_an_exhausted_space_ends_the_study_and_more_trials_would_not_help(max_trials: int) -> None:
    verdict = verdict_of(spec(maxTrials=max_trials), history(complete=3, best=finished(), size=3), UNUSED)
    assert verdict is not None
    assert (verdict.failed, verdict.reason) == (False, "Exhausted")


def test_a_space_without_a_feasible_point_ends_the_study_and_fails_it_where_nothing_came_of_it() -> None:
    why = (
        "none of 9 points in a row meets `constraints`: all of them violate lr > 1.0; relax it or widen the parameters"
    )
    failed = verdict_of(spec(), history(size=0, infeasible=why), UNUSED)
    assert failed is not None
    assert (failed.failed, failed.early, failed.reason) == (True, False, "NoFeasiblePoint")
    assert failed.message == why
    ended = verdict_of(spec(), history(trial(1), complete=1, best=finished(), size=2, infeasible=why), UNUSED)
    assert ended is not None
    assert (ended.failed, ended.reason) == (False, "NoFeasiblePoint")
    assert ended.message.endswith("in a new study")


def test_that_no_further_point_is_feasible_is_not_said_of_a_study_that_has_all_its_trials() -> None:
    asked = history(complete=2, best=finished(), size=2, infeasible="none of 9 points in a row meets `constraints`")
    verdict = verdict_of(spec(maxTrials=2), asked, UNUSED)
    assert verdict is not None
    assert verdict.reason == "MaxTrialsReached"


@pytest.mark.parametrize(
    ("direction", "goal", "value", "reached"),
    [
        ("Maximize", 0.9, 0.9, True),
        ("Maximize", 0.9, 0.91, True),
        ("Maximize", 0.9, 0.89, False),
        ("Minimize", 0.1, 0.1, True),
        ("Minimize", 0.1, 0.05, True),
        ("Minimize", 0.1, 0.11, False),
    ],
)
def test_a_goal_is_reached_from_its_own_side(direction: str, goal: float, value: float, reached: bool) -> None:
    objectives = [{"metric": "accuracy", "direction": direction, "goal": goal}]
    verdict = verdict_of(spec(objectives=objectives), history(complete=1, best=finished(value=value)), UNUSED)
    assert (verdict is not None and verdict.reason == "GoalReached") is reached


def test_too_many_failed_trials_fail_the_study() -> None:
    stopping = {"failedTrials": {"total": 2}}
    assert verdict_of(spec(stopping=stopping), history(failed=1, charged_failures=1), UNUSED) is None
    verdict = verdict_of(spec(stopping=stopping), history(failed=2, charged_failures=2), UNUSED)
    assert verdict is not None
    assert (verdict.failed, verdict.early, verdict.reason) == (True, True, "TooManyFailedTrials")


def test_a_row_of_failures_counts_although_later_trials_succeeded() -> None:
    stopping = {"failedTrials": {"consecutive": 3}}
    ended = history(complete=1, failed=3, best=finished(), longest_failed_streak=3)
    verdict = verdict_of(spec(stopping=stopping), ended, UNUSED)
    assert verdict is not None
    assert verdict.reason == "TooManyFailedTrials"


def test_raising_max_trials_revives_a_study() -> None:
    done = history(complete=3, best=finished())
    assert verdict_of(spec(maxTrials=3), done, UNUSED) is not None
    assert verdict_of(spec(maxTrials=4), done, UNUSED) is None
