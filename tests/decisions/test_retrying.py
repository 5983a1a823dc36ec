from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.builders import NOW, ended, finished, history, job, reported, snapshot, trial, trial_fields
from tuning_operator.decisions.actions import NewAttempt, Plan
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.trials import EarlierAttempts, LastWords, OpenTrial


def plan_after(of: OpenTrial, retries: dict[str, Any] | None = None, failed: str = "Evicted", **fields: Any) -> Plan:
    """The plan for a trial whose only Job just failed."""
    broken = {"Evicted": {"disrupted": True}, "Error": {"exit_code": 1}, "ReportsLost": {"exit_code": 75}}[failed]
    its_job = job(of.number, phase="Failed", attempt=of.attempt, **broken)
    trial_of = trial_fields(**({} if retries is None else {"retries": retries}))
    return decide(snapshot(of, jobs=(its_job,), trial=trial_of, **fields))


def retry(plan: Plan) -> NewAttempt:
    (new,) = plan.new_attempts
    assert plan.outcomes == ()
    return new


def test_a_disrupted_trial_is_tried_again_under_its_number() -> None:
    new = retry(plan_after(reported(value=0.4)))
    assert (new.number, new.attempt, new.reason) == (0, 2, "Evicted")
    assert (new.earlier.disruptions, new.earlier.failures) == (1, 0)


def test_an_error_is_tried_again_only_where_the_study_says_so() -> None:
    assert [outcome.reason for outcome in plan_after(reported(), failed="Error").outcomes] == ["Error"]
    assert retry(plan_after(reported(), {"reasons": ["Error"]}, failed="Error")).earlier.failures == 1


def test_retries_end_at_the_limit() -> None:
    tried = reported(attempt=3, earlier=EarlierAttempts(failures=2))
    assert retry(plan_after(tried, {"limit": 3, "reasons": ["Error"]}, failed="Error")).attempt == 4
    plan = plan_after(tried, {"limit": 2, "reasons": ["Error"]}, failed="Error")
    assert [outcome.reason for outcome in plan.outcomes] == ["Error"]


def test_disruptions_do_not_use_up_the_limit_but_end_somewhere() -> None:
    tried = reported(attempt=100, earlier=EarlierAttempts(failures=3, disruptions=99))
    assert retry(plan_after(tried)).earlier.disruptions == 100
    tried = replace(tried, earlier=EarlierAttempts(disruptions=100))
    assert [outcome.reason for outcome in plan_after(tried).outcomes] == ["Evicted"]


@pytest.mark.parametrize("how", ["Error", "NotFinite", "NoObjective"])
def test_a_trial_that_was_to_be_pruned_is_not_tried_again_however_it_ended(how: str) -> None:
    last, value = ("Failed", 0.1) if how == "Error" else ("Complete", math.nan if how == "NotFinite" else None)
    to_be_pruned = reported(value=value, end=ended(last), prune_decided_at=NOW - 1)
    retries = {"reasons": ["Error", "NotFinite", "NoObjective"]}
    plan = decide(snapshot(to_be_pruned, jobs=(job(),), trial=trial_fields(retries=retries)))
    assert [outcome.reason for outcome in plan.outcomes] == [how]
    assert plan.new_attempts == (), "the storage would refuse it, again and again"


@pytest.mark.parametrize(("failures", "seconds"), [(0, 10), (1, 20), (4, 160), (6, 360), (99, 360)])
def test_pauses_between_retries_double_up_to_six_minutes(failures: int, seconds: float) -> None:
    tried = reported(attempt=1 + failures, earlier=EarlierAttempts(failures=failures))
    new = retry(plan_after(tried, {"limit": 100, "reasons": ["Error"]}, failed="Error"))
    assert new.earlier.retry_at == NOW + seconds


def test_a_trial_that_waits_for_its_retry_keeps_its_slot_and_is_launched_when_it_is_due() -> None:
    waits = trial(attempt=2, earlier=EarlierAttempts(disruptions=1, retry_at=NOW + 5))
    plan = decide(snapshot(waits, maxTrials=9, parallelism=1))
    assert (plan.launches, plan.ask, plan.requeue_at) == ((), 0, NOW + 5)
    due = replace(waits, earlier=EarlierAttempts(disruptions=1, retry_at=NOW))
    plan = decide(snapshot(due, maxTrials=9, parallelism=1))
    assert [launch.trial.attempt for launch in plan.launches] == [2]


def test_a_clock_that_was_set_back_lets_no_retry_wait_for_hours() -> None:
    waits = trial(attempt=2, earlier=EarlierAttempts(disruptions=1, retry_at=NOW + 7200))
    assert len(decide(snapshot(waits, maxTrials=9, parallelism=1)).launches) == 1


def test_a_retry_frees_no_slot_in_the_step_that_decides_it() -> None:
    assert plan_after(reported(), maxTrials=9, parallelism=1).ask == 0


def test_running_time_adds_up_over_attempts() -> None:
    tried = reported(attempt=2, earlier=EarlierAttempts(disruptions=1, running_seconds=100.0), first_report_at=NOW - 9)
    new = retry(plan_after(tried))
    assert new.earlier.running_seconds == 100.0 + 49.0, "from NOW - 50 to NOW - 1"


def test_the_last_message_of_a_failure_can_be_followed_by_an_attempt_and_its_pod_is_deleted() -> None:
    failed = reported(end=ended("Failed", "CUDA error"))
    plan = decide(snapshot(failed, jobs=(job(0),), trial=trial_fields(retries={"reasons": ["Error"]})))
    assert retry(plan).after == LastWords(failed.end)
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-0-1"]


def test_a_trial_that_was_to_be_pruned_is_not_tried_again() -> None:
    plan = plan_after(reported(prune_decided_at=NOW - 1))
    assert [outcome.state for outcome in plan.outcomes] == ["Pruned"]


def test_a_trial_that_a_person_stopped_is_not_tried_again() -> None:
    plan = plan_after(reported(), stopping={"trials": [0]})
    assert [outcome.reason for outcome in plan.outcomes] == ["Evicted"]


def test_a_study_that_ends_early_tries_nothing_again() -> None:
    plan = plan_after(reported(), stopping={"now": "Drain"})
    assert [outcome.reason for outcome in plan.outcomes] == ["Evicted"]
    assert plan.new_attempts == ()


def test_disruptions_do_not_count_towards_the_failures_that_end_a_study() -> None:
    spent = reported(attempt=101, earlier=EarlierAttempts(disruptions=100))
    plan = plan_after(spent, stopping={"failedTrials": {"total": 1}}, maxTrials=9)
    assert [outcome.reason for outcome in plan.outcomes] == ["Evicted"]
    assert plan.ask > 0, "the study goes on"


def test_a_job_that_vanished_is_created_again_under_the_next_attempt() -> None:
    plan = decide(snapshot(reported(0), vanished=frozenset({(0, 1)})))
    assert (retry(plan).reason, retry(plan).attempt) == ("JobLost", 2)


def test_nothing_is_decided_while_the_pod_is_still_to_be_asked() -> None:
    unclear = job(0, phase="Failed", exit_code=137, cause=None)
    plan = decide(snapshot(reported(0), jobs=(unclear,), maxTrials=1, parallelism=1))
    assert plan.is_empty


def test_stopping_a_trial_prunes_it_and_deletes_its_job() -> None:
    plan = decide(snapshot(reported(0, value=0.7), reported(1), jobs=(job(0), job(1)), stopping={"trials": [0, 99]}))
    (outcome,) = plan.outcomes
    assert (outcome.number, outcome.state, outcome.reason, outcome.value) == (0, "Pruned", "StoppedByUser", 0.7)
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-0-1"]


def test_a_finished_trial_can_be_named_among_the_stopped_ones() -> None:
    done = history(complete=1, best=finished())
    assert not decide(snapshot(history=done, stopping={"trials": [0]})).outcomes
