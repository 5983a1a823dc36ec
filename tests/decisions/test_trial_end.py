from __future__ import annotations

import math

import pytest

from tests.builders import NOW, ended, job, reported, snapshot, trial, trial_fields
from tuning_operator.decisions.actions import Outcome
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.seen_jobs import TrialJob
from tuning_operator.decisions.trial_end import outcome_of
from tuning_operator.decisions.trials import Lineage, MuteRun, OpenTrial


def outcome(of: OpenTrial, its_job: TrialJob | None = None, **fields: object) -> Outcome | None:
    jobs = () if its_job is None else (its_job,)
    return outcome_of(of, its_job, snapshot(of, jobs=jobs, **fields))


def told(of: OpenTrial, its_job: TrialJob | None = None, **fields: object) -> tuple[str, str]:
    found = outcome(of, its_job, **fields)
    assert found is not None, "the trial goes on"
    return found.state.value, found.reason


def test_a_running_trial_goes_on() -> None:
    assert outcome(reported(), job()) is None


def test_a_trial_without_a_job_that_never_was_waits_for_one() -> None:
    assert outcome(trial()) is None


def test_the_last_message_ends_a_trial_before_its_job_does() -> None:
    found = outcome(reported(value=0.8, end=ended("Complete")), job())
    assert found is not None
    assert (found.state, found.value, found.reason) == ("Complete", 0.8, "Complete")


def test_running_time_counts_from_the_running_pod() -> None:
    found = outcome(reported(end=ended("Complete")), job(running_at=NOW - 42))
    assert found is not None
    assert found.running_seconds == 42


def test_running_time_is_bounded_by_the_reports_when_no_job_tells_it() -> None:
    found = outcome(reported(first_report_at=NOW - 25, last_report_at=NOW - 5, end=ended("Complete")))
    assert found is not None
    assert found.running_seconds == 20


def test_a_message_of_failure_carries_the_trainers_words() -> None:
    found = outcome(trial(end=ended("Failed", "ValueError: no data")), job())
    assert found is not None
    assert (found.state, found.reason, found.message) == ("Failed", "Error", "ValueError: no data")


def test_a_finished_job_without_a_message_is_told_from_its_reports() -> None:
    found = outcome(reported(value=0.7), job(phase="Complete"))
    assert found is not None
    assert (found.state, found.value) == ("Complete", 0.7)


@pytest.mark.parametrize(
    ("last_step", "budget", "note"),
    [
        (3, 3, ""),
        (2, 3, ""),
        (9, None, ""),
        (9, 3, "it trained to step 9, and its budget is 3: let the training end at TUNING_BUDGET"),
    ],
)
def test_a_trial_that_trained_beyond_its_budget_is_told_of(last_step: int, budget: int | None, note: str) -> None:
    """Its GPU was paid for what its strategy did not want."""
    found = outcome(reported(value=0.7, last_step=last_step, lineage=Lineage(budget=budget)), job(phase="Complete"))
    assert found is not None
    assert (found.state, found.message) == ("Complete", note)


def test_a_trial_that_reported_nothing_fails_with_a_sentence() -> None:
    found = outcome(trial(), job(phase="Complete"))
    assert found is not None
    assert found.reason == "NoObjective"
    assert "`accuracy`" in found.message
    assert "it reported nothing" in found.message


def test_a_trial_that_reported_other_metrics_fails_and_names_them() -> None:
    found = outcome(trial(metrics=("acc", "loss"), first_report_at=NOW - 5), job(phase="Complete"))
    assert found is not None
    assert "it reported acc, loss" in found.message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_a_failure_of_that_name(value: float) -> None:
    found = outcome(reported(value=value, end=ended("Complete")), job())
    assert found is not None
    assert (found.state, found.reason, found.value) == ("Failed", "NotFinite", None)


def test_a_pruned_trial_keeps_its_last_value() -> None:
    found = outcome(reported(value=0.3, step=4, prune_decided_at=NOW - 1, end=ended("Pruned")), job())
    assert found is not None
    assert (found.state, found.value, found.message) == ("Pruned", 0.3, "after step 4")


def test_a_pruned_trial_that_exits_without_a_message_is_pruned() -> None:
    assert told(reported(prune_decided_at=NOW - 1), job(phase="Complete")) == ("Pruned", "Pruned")
    assert told(reported(prune_decided_at=NOW - 1), job(phase="Failed", exit_code=1)) == ("Pruned", "Pruned")


def test_a_trial_that_finished_although_it_was_pruned_is_complete() -> None:
    assert told(reported(prune_decided_at=NOW - 1, end=ended("Complete")), job()) == ("Complete", "Complete")


def test_patience_with_a_trial_that_does_not_stop_ends_after_the_grace() -> None:
    assert outcome(reported(prune_decided_at=NOW - 29), job()) is None
    assert told(reported(prune_decided_at=NOW - 30), job()) == ("Pruned", "Pruned")
    assert told(reported(value=math.nan, last_report_at=NOW - 31), job()) == ("Failed", "NotFinite")


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"exit_code": 1}, "Error", "exited with code 1"),
        ({"exit_code": 75}, "ReportsLost", "could not deliver its reports"),
        ({"message": "node is gone"}, "Error", "node is gone"),
    ],
)
def test_a_failed_job_says_why(fields: dict[str, object], reason: str, words: str) -> None:
    found = outcome(reported(), job(phase="Failed", **fields))
    assert found is not None
    assert (found.state, found.reason) == ("Failed", reason)
    assert words in found.message
    assert found.value is None


def test_a_job_that_vanished_is_lost() -> None:
    assert told(trial(), vanished=frozenset({(0, 1)})) == ("Failed", "JobLost")


def test_a_trial_that_reported_and_has_no_job_after_a_restart_is_lost_once_it_is_silent() -> None:
    assert outcome(reported(last_report_at=NOW - 59)) is None
    assert told(reported(last_report_at=NOW - 60)) == ("Failed", "JobLost")


@pytest.mark.parametrize("started", [reported(), trial()])
def test_a_pod_that_ran_is_not_judged_by_the_start_deadline(started: OpenTrial) -> None:
    running_at = NOW - 1800 if started.first_report_at is None else None
    assert outcome(started, job(phase="Pending", created_at=NOW - 3600, running_at=running_at)) is None


def test_a_vanished_older_attempt_is_not_the_trials_end() -> None:
    assert outcome(trial(attempt=2), vanished=frozenset({(0, 1)})) is None


def test_a_pod_that_never_runs_fails_by_the_start_deadline_with_the_clusters_words() -> None:
    waiting = job(phase="Pending", created_at=NOW - 1800, message="ErrImagePull: no such image")
    found = outcome(trial(), waiting)
    assert found is not None
    assert found.reason == "ImageProblem"
    assert found.message.endswith("ErrImagePull: no such image")
    assert outcome(trial(), job(phase="Pending", created_at=NOW - 1799)) is None


def test_a_trial_that_runs_too_long_fails_by_the_run_deadline() -> None:
    template = {"spec": {"containers": [{"name": "trainer"}]}}
    fields = {"trial": {"deadlines": {"run": "1m"}, "template": template}}
    assert outcome(reported(), job(running_at=NOW - 59), **fields) is None
    assert told(reported(), job(running_at=NOW - 60), **fields) == ("Failed", "RunDeadlineExceeded")


def test_a_pod_that_was_told_to_end_and_does_not_leave_is_on_a_lost_node() -> None:
    grace = {"trial": {"template": {"spec": {"terminationGracePeriodSeconds": 5, "containers": [{"name": "t"}]}}}}
    assert outcome(reported(), job(terminating_since=NOW - 64), **grace) is None
    assert told(reported(), job(terminating_since=NOW - 65), **grace) == ("Failed", "NodeLost")
    assert outcome(reported(), job(terminating_since=NOW - 65)) is None, "30 s are Kubernetes' default"
    assert told(reported(prune_decided_at=NOW - 1), job(terminating_since=NOW - 90)) == ("Pruned", "Pruned")


def test_a_job_whose_deletion_was_asked_for_is_on_no_lost_node() -> None:
    assert outcome(reported(), job(terminating_since=NOW - 999, deleting=True)) is None


def test_a_silent_trial_fails_with_the_last_step_that_it_reported() -> None:
    silence = {"trial": {"deadlines": {"silence": "10s"}, "template": {"spec": {"containers": [{"name": "t"}]}}}}
    assert outcome(reported(last_report_at=NOW - 9), job(), **silence) is None
    found = outcome(reported(step=3, last_report_at=NOW - 10), job(), **silence)
    assert found is not None
    assert (found.reason, "it reported step 3 last" in found.message) == ("Silent", True)
    assert outcome(reported(last_report_at=NOW - 99), job(running_at=NOW - 9), **silence) is None, "its pod is new"
    assert outcome(reported(last_report_at=NOW - 99), job(phase="Suspended", running_at=None), **silence) is None


def test_the_run_deadline_counts_the_time_before_a_queue_took_the_pod() -> None:
    before = ((NOW - 990, NOW - 940),)
    run = {"trial": {"deadlines": {"run": "1m"}, "template": {"spec": {"containers": [{"name": "t"}]}}}}
    assert outcome(reported(), job(running_at=NOW - 9, earlier_pods=before), **run) is None
    assert told(reported(), job(running_at=NOW - 10, earlier_pods=before), **run) == ("Failed", "RunDeadlineExceeded")


def test_the_start_deadline_counts_from_when_a_queue_let_the_job_go() -> None:
    released = job(phase="Pending", created_at=NOW - 9999, released_at=NOW - 1799)
    assert outcome(trial(), released) is None
    late = job(phase="Pending", created_at=NOW - 9999, released_at=NOW - 1800)
    assert told(reported(last_report_at=NOW - 5000), late) == ("Failed", "StartDeadlineExceeded")


RUNS = {"trial": trial_fields(repeats=3, deadlines={"silence": "10s"})}


def test_a_trial_one_of_whose_runs_reported_no_objective_fails() -> None:
    half = reported(end=ended("Complete"), run_values={0: 0.5, 2: 0.5}, mute_run=MuteRun(1, ("accuracy",)))
    found = outcome(half, job(), **RUNS)
    assert found is not None
    assert (found.state, found.reason) == ("Failed", "NoObjective")
    assert found.message.startswith("run 1 of the trial ended without a value of `accuracy`")
    assert told(half, job(phase="Complete"), **RUNS) == ("Failed", "NoObjective")


def test_a_pruned_trial_ends_with_the_runs_that_had_begun() -> None:
    pruned = {"prune_decided_at": NOW - 1, "last_report_at": NOW - 1, "run_values": {0: 0.5}}
    assert outcome(reported(**pruned), job(), **RUNS) is None, "they have their time to stop"
    stopped = reported(has_stopped=True, **pruned)
    found = outcome(stopped, job(), **RUNS)
    assert found is not None
    assert (found.state, found.reason, found.value) == ("Pruned", "Pruned", 0.5)
    study = snapshot(stopped, jobs=(job(),), **RUNS)
    assert [each.reason for each in decide(study).deletions] == ["trial 0 is to stop, and its Job goes on"]


def test_one_silent_run_is_enough_for_a_silent_trial() -> None:
    assert outcome(reported(last_report_at=NOW - 1, silent_since=NOW - 9), job(), **RUNS) is None
    assert told(reported(last_report_at=NOW - 1, silent_since=NOW - 10), job(), **RUNS) == ("Failed", "Silent")
