"""Trials whose metrics are read from their containers' logs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.builders import NOW, ended, finished, job, reported, snapshot, trial, trial_fields
from tuning_operator.api.retries import FailureClass
from tuning_operator.decisions.actions import Deletion
from tuning_operator.decisions.failure import Failure
from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.log_reading import logs_to_read
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.trials import OpenTrial

Read = dict[tuple[int, int], Failure | None]

READ: Read = {(0, 1): None}
LOST: Read = {(0, 1): (FailureClass.LOG_LOST, "the node is gone")}
TOO_LONG: Read = {(0, 1): (FailureClass.TOO_MANY_STEPS, "at most 100,000 steps")}


def from_logs(*trials: OpenTrial, jobs: tuple[TrialJob, ...] = (), **fields: Any) -> Snapshot:
    """Return a snapshot of a study that reads logs."""
    return snapshot(
        *trials, jobs=jobs, trial=trial_fields(metrics={"source": "Logs"}, retries={"reasons": []}), **fields
    )


def told(of: OpenTrial, its_job: TrialJob, **fields: Any) -> list[tuple[str, str]]:
    """Return state and reason of the trials that end."""
    return [(end.state.value, end.reason) for end in decide(from_logs(of, jobs=(its_job,), **fields)).outcomes]


def test_only_logs_of_open_trials_that_had_a_pod_are_read() -> None:
    jobs = (
        job(0),
        job(1, "Complete"),
        job(2, "Pending"),
        job(3),
        job(4, attempt=1),
        job(4, attempt=2),
        job(5, "Failed"),
    )
    trials = [trial(number, attempt=2 if number == 4 else 1) for number in (0, 1, 2, 4, 5)]
    found = logs_to_read(from_logs(*trials, jobs=jobs))
    assert [(each.trial, each.attempt) for each in found] == [(0, 1), (1, 1), (4, 2), (5, 1)]


def test_no_log_is_read_of_a_study_whose_trials_report() -> None:
    assert logs_to_read(snapshot(trial(), jobs=(job(),))) == ()


def test_a_trial_is_not_judged_before_its_log_was_read_to_the_end() -> None:
    assert told(reported(value=0.7), job(phase="Complete")) == []
    assert told(trial(), job(phase="Complete")) == []
    assert told(reported(value=0.7), job(phase="Complete"), read_logs=READ) == [("Complete", "Complete")]
    assert told(trial(), job(phase="Complete"), read_logs=READ) == [("Failed", "NoObjective")]


def test_another_trials_log_is_no_reason_to_judge() -> None:
    assert told(reported(value=0.7), job(phase="Complete"), read_logs={(1, 1): None, (0, 2): None}) == []


def test_the_slot_of_a_trial_whose_log_is_still_read_is_not_free() -> None:
    plan = decide(from_logs(reported(0), jobs=(job(0, "Complete"),), parallelism=2, maxTrials=5))
    assert plan.ask == 1


@pytest.mark.parametrize("phase", ["Running", "Complete"])
def test_a_trial_whose_log_cannot_be_read_is_not_judged_by_a_part_of_it(phase: str) -> None:
    plan = decide(from_logs(reported(value=0.7), jobs=(job(phase=phase),), read_logs=LOST))
    (end,) = plan.outcomes
    assert (end.state, end.reason, end.value) == ("Failed", "LogLost", None)
    assert "the node is gone" in end.message
    assert [deletion.job for deletion in plan.deletions] == ([job().name] if phase == "Running" else [])


@pytest.mark.parametrize("phase", ["Running", "Complete", "Failed"])
def test_a_trial_that_prints_more_steps_than_are_kept_fails_and_is_not_tried_again(phase: str) -> None:
    retried_by_default = trial_fields(metrics={"source": "Logs"})
    disrupted = {"disrupted": True, "cause": "PreemptionByScheduler"} if phase == "Failed" else {}
    jobs = (job(phase=phase, **disrupted),)
    plan = decide(snapshot(reported(value=0.7), jobs=jobs, read_logs=TOO_LONG, trial=retried_by_default))
    assert plan.new_attempts == ()
    (end,) = plan.outcomes
    assert (end.state, end.reason, end.value) == ("Failed", "TooManySteps", None)
    assert "at most 100,000 steps" in end.message
    assert [deletion.job for deletion in plan.deletions] == ([job().name] if phase == "Running" else [])


def test_a_trial_whose_log_is_still_read_does_not_start_over_when_its_study_is_suspended() -> None:
    suspend = {"enabled": True, "mode": "Terminate"}
    assert decide(from_logs(reported(), jobs=(job(phase="Complete"),), active=ActiveTime(9), suspend=suspend)).is_empty


def test_a_failed_job_says_more_than_a_lost_log() -> None:
    assert told(reported(), job(phase="Failed", exit_code=1), read_logs=LOST) == [("Failed", "Error")]
    assert told(reported(), job(phase="Failed", exit_code=1)) == [("Failed", "Error")]


def test_a_trial_that_is_to_be_pruned_is_deleted_at_once() -> None:
    plan = decide(from_logs(reported(value=0.1, prune_decided_at=NOW), jobs=(job(),)))
    assert [(end.state, end.reason, end.value) for end in plan.outcomes] == [("Pruned", "Pruned", 0.1)]
    assert plan.deletions == (Deletion(job().name, 0, "trial 0 is to stop, and its Job goes on"),)


def test_a_pruned_trial_counts_as_pruned_whatever_became_of_its_log() -> None:
    assert told(reported(prune_decided_at=NOW), job(phase="Complete"), read_logs=LOST) == [("Pruned", "Pruned")]


def test_a_training_that_diverges_is_deleted_at_once() -> None:
    plan = decide(from_logs(reported(value=math.nan, last_report_at=NOW), jobs=(job(),)))
    assert [(end.state, end.reason) for end in plan.outcomes] == [("Failed", "NotFinite")]
    assert len(plan.deletions) == 1


def test_a_pruned_trials_job_that_outlived_a_crash_is_deleted_at_once() -> None:
    pruned = finished(0, "Pruned", 0.1, ended_at=NOW)
    plan = decide(from_logs(jobs=(job(0),), ended={0: pruned}, pruned=1, total=1, maxTrials=1, parallelism=1))
    assert [deletion.job for deletion in plan.deletions] == [job(0).name]


def test_a_last_message_ends_a_trial_of_whatever_source() -> None:
    assert told(reported(end=ended("Complete")), job()) == [("Complete", "Complete")]
