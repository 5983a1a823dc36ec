"""How many trials may start now."""

from __future__ import annotations

from tests.builders import ended, finished, job, reported, snapshot, trial, trial_fields
from tuning_operator.decisions.plan import decide

IN_ORDER = {"search": {"seed": 1, "deterministic": True}, "parallelism": 3}


def test_a_deterministic_study_begins_with_all_that_may_run() -> None:
    assert decide(snapshot(**IN_ORDER)).ask == 3


def test_a_deterministic_trial_waits_for_the_one_that_it_must_know() -> None:
    running = (reported(0), reported(1, end=ended("Complete")), reported(2))
    plan = decide(snapshot(*running, jobs=(job(0), job(1), job(2)), **IN_ORDER))
    assert [outcome.number for outcome in plan.outcomes] == [1]
    assert plan.ask == 0


def test_the_end_of_a_deterministic_studys_oldest_trial_lets_all_start_that_waited_for_it() -> None:
    running = (reported(0, end=ended("Complete")), reported(2))
    plan = decide(snapshot(*running, complete=1, best=finished(1), jobs=(job(0), job(2)), **IN_ORDER))
    assert plan.ask == 2


def test_a_deterministic_trial_waits_for_a_retry_of_the_one_that_it_must_know() -> None:
    failed = reported(0, end=ended("Failed"))
    done = (reported(1, end=ended("Complete")), reported(2, end=ended("Complete")))
    retried = trial_fields(retries={"reasons": ["Error"]})
    plan = decide(snapshot(failed, *done, jobs=(job(0), job(1), job(2)), trial=retried, **IN_ORDER))
    assert [new.number for new in plan.new_attempts] == [0]
    assert plan.ask == 0


def test_a_deterministic_study_goes_on_when_nothing_runs() -> None:
    assert decide(snapshot(complete=4, best=finished(3), **IN_ORDER)).ask == 3


def test_a_trial_that_waits_to_be_launched_holds_up_a_deterministic_study() -> None:
    plan = decide(snapshot(trial(0), complete=2, best=finished(2), **IN_ORDER))
    assert [launch.trial.number for launch in plan.launches] == [0]
    assert plan.ask == 0


def test_no_more_jobs_run_than_there_is_room_for() -> None:
    assert decide(snapshot(room=2, parallelism=3)).ask == 2
    assert decide(snapshot(reported(0), jobs=(job(0),), room=2, parallelism=3)).ask == 1
    assert decide(snapshot(reported(0), jobs=(job(0),), room=9, parallelism=3)).ask == 2


def test_a_deterministic_study_with_less_room_still_waits_for_no_more_than_it_must() -> None:
    ahead = {"complete": 2, "best": finished(1)}
    assert decide(snapshot(reported(1), jobs=(job(1),), room=2, **ahead, **IN_ORDER)).ask == 1
    assert decide(snapshot(reported(0), jobs=(job(0),), room=2, **ahead, **IN_ORDER)).ask == 0
