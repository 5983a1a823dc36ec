from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.builders import NOW, finished, job, reported, snapshot, trial, trial_fields
from tuning_operator.api.status import ConditionType, StudyStatus
from tuning_operator.decisions.events import announcements
from tuning_operator.decisions.snapshot import Snapshot
from tuning_operator.decisions.study_status import duration_text, refused_status, study_status
from tuning_operator.errors import InvalidStudy


def status(of: Snapshot) -> StudyStatus:
    return study_status(of, read_token="token")


def true_conditions(of: StudyStatus) -> dict[str, str]:
    return {condition.type.value: condition.reason for condition in of.conditions if condition.status == "True"}


def test_a_study_that_has_not_started_is_pending() -> None:
    shown = status(snapshot())
    assert shown.phase == "Pending"
    assert true_conditions(shown) == {"Accepted": "Valid"}
    assert shown.start_time is None


def test_a_strategys_epochs_are_told_before_they_are_trained() -> None:
    search = {"sampler": {"name": "MIHA", "options": {"mutate": ["lr"]}}}
    fields = trial_fields(checkpoints={"claimName": "c"})
    assert status(snapshot(maxTrials=20, search=search, trial=fields)).planned_epochs == 30
    assert status(snapshot()).planned_epochs is None


def test_a_running_study_counts_its_trials_where_they_are() -> None:
    trials = (trial(3), trial(4), reported(5), reported(6))
    jobs = (job(4, phase="Pending"), job(5), job(6, phase="Pending"))
    shown = status(snapshot(*trials, jobs=jobs, complete=1, pruned=1, failed=1, best=finished()))
    counts = shown.trials
    assert (counts.total, counts.waiting, counts.pending, counts.running) == (7, 1, 1, 2)
    assert (counts.complete, counts.pruned, counts.failed) == (1, 1, 1)
    assert (shown.phase, shown.progress) == ("Running", "3/10")


def test_the_best_trial_is_shown_with_its_job_and_parameters() -> None:
    best = status(snapshot(complete=4, best=finished(3, value=0.97))).best
    assert best is not None
    assert (best.number, best.value, best.values) == (3, 0.97, {"accuracy": 0.97})
    assert best.job == "digits-11112222-3-1"


def test_a_study_is_complete_when_no_trial_is_open_any_more() -> None:
    done: dict[str, Any] = {"complete": 9, "best": finished(), "maxTrials": 10}
    assert status(snapshot(reported(9), jobs=(job(9),), **done)).phase == "Running"
    shown = status(snapshot(**{**done, "complete": 10}, last_ended_at=NOW))
    assert (shown.phase, shown.progress) == ("Complete", "10/10")
    assert true_conditions(shown) == {"Accepted": "Valid", "Complete": "MaxTrialsReached"}
    assert shown.completion_time is not None


def test_a_study_that_ends_early_is_stopping_while_trials_run() -> None:
    objectives = [{"metric": "accuracy", "direction": "Maximize", "goal": 0.9}]
    shown = status(snapshot(reported(1), jobs=(job(1),), complete=1, best=finished(value=0.95), objectives=objectives))
    assert shown.phase == "Stopping"
    assert "reached accuracy 0.95" in (shown.condition(ConditionType.RUNNING) or pytest.fail("no condition")).message


def test_a_suspended_study_says_so_and_is_not_running() -> None:
    shown = status(snapshot(reported(0), jobs=(job(0),), suspend={"enabled": True}))
    assert shown.phase == "Suspended"
    assert true_conditions(shown) == {"Accepted": "Valid", "Suspended": "Suspended"}


def test_a_job_that_is_refused_before_the_start_refuses_the_study() -> None:
    shown = status(snapshot(problem='unknown field "spec.template.spec.conainers"'))
    assert shown.phase == "Refused"
    accepted = shown.condition(ConditionType.ACCEPTED)
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "JobRefused")
    assert "conainers" in accepted.message


def test_a_job_that_is_refused_later_degrades_the_study() -> None:
    shown = status(snapshot(trial(0), problem="quota exceeded"))
    assert shown.phase == "Running"
    assert true_conditions(shown)["Degraded"] == "JobNotCreated"


def test_a_wrong_edit_is_named_while_the_study_goes_on() -> None:
    shown = status(snapshot(reported(0), jobs=(job(0),), refusal="spec.search: no such option", generation=2))
    assert (shown.phase, shown.observed_generation) == ("Refused", 2)
    assert true_conditions(shown) == {"Running": "TrialsRunning"}


def test_a_study_that_ended_is_not_suspended_any_more() -> None:
    shown = status(snapshot(complete=10, best=finished(), suspend={"enabled": True}))
    assert shown.phase == "Complete"
    assert "Suspended" not in true_conditions(shown)


def test_a_wrong_spec_keeps_what_the_study_has_reached() -> None:
    before = status(snapshot(complete=3, best=finished()))
    error = InvalidStudy(["spec.maxTrials: required, but missing"])
    after = refused_status(before, error, generation=2, now=NOW)
    assert after.phase == "Refused"
    assert after.best == before.best
    assert after.observed_generation == 2


def test_a_transitions_time_changes_with_its_status_alone() -> None:
    first = status(snapshot(reported(0), jobs=(job(0),)))
    later = study_status(snapshot(reported(0), jobs=(job(0),), status=first, now=NOW + 99), "token")
    assert later.conditions == first.conditions
    suspended = study_status(snapshot(reported(0), status=first, now=NOW + 99, suspend={"enabled": True}), "token")
    running = suspended.condition(ConditionType.RUNNING)
    accepted = suspended.condition(ConditionType.ACCEPTED)
    assert running is not None
    assert accepted is not None
    assert running.last_transition_time > accepted.last_transition_time


def test_usage_multiplies_running_time_by_the_gpus_requested() -> None:
    gpus = {"name": "trainer", "resources": {"limits": {"nvidia.com/gpu": "4"}}}
    shown = status(snapshot(complete=1, running_seconds=1800, trial={"template": {"spec": {"containers": [gpus]}}}))
    assert (shown.usage.gpu_hours, shown.usage.trial_hours) == (2.0, 0.5)


def test_the_status_stays_small_whatever_the_study() -> None:
    many = {f"parameter_number_{i:03}": "x" * 256 for i in range(200)}
    recent = tuple(finished(i, "Failed", None, parameters=many, message="m" * 1024) for i in range(10))
    shown = status(snapshot(complete=900_000, failed=99_000, recent=recent, best=finished(), maxTrials=1_000_000))
    assert len(json.dumps(shown.to_document())) < 20_000


def test_trials_that_ended_last_have_the_metrics_with_bounds_too() -> None:
    bounds = [{"metric": "latency", "max": 20}]
    further = {"latency": 25.0, "memory": math.nan}
    history_ = {"recent": (finished(3, value=0.5, further=further), finished(2, "Failed", None))}
    shown = status(snapshot(complete=1, failed=1, metricConstraints=bounds, **history_))
    assert [trial.values for trial in shown.recent] == [{"accuracy": 0.5, "latency": 25.0}, {}]
    assert [trial.values for trial in status(snapshot(complete=1, recent=(finished(),))).recent] == [{}]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.31, "0.3s"),
        (4.0, "4s"),
        (9.97, "10s"),
        (59.6, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (3661, "1h1m1s"),
    ],
)
def test_durations_are_written_as_kubernetes_does(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_each_turn_of_a_condition_is_announced_once() -> None:
    pending = status(snapshot())
    running = study_status(snapshot(reported(0), jobs=(job(0),), status=pending), "token")
    assert [(event.warning, event.reason) for event in announcements(pending, running)] == [(False, "TrialsRunning")]
    assert announcements(running, running) == []


def test_failures_and_refusals_are_warnings() -> None:
    refused = status(snapshot(problem="no"))
    assert [(event.warning, event.reason) for event in announcements(StudyStatus(), refused)] == [(True, "JobRefused")]


def test_a_study_that_is_suspended_and_resumed_says_so() -> None:
    suspended = status(snapshot(reported(0), jobs=(job(0),), suspend={"enabled": True}))
    resumed = study_status(snapshot(reported(0), jobs=(job(0),), status=suspended), "token")
    assert "Resumed" in [event.reason for event in announcements(suspended, resumed)]
    ended = study_status(snapshot(complete=10, best=finished(), suspend={"enabled": True}, status=suspended), "token")
    assert [event.reason for event in announcements(suspended, ended)] == ["MaxTrialsReached"]


def test_every_condition_has_a_reason_and_a_sentence() -> None:
    shown = [
        status(snapshot()),
        status(snapshot(problem="no")),
        status(snapshot(reported(0), jobs=(job(0),), suspend={"enabled": True})),
        status(snapshot(complete=10, best=finished())),
        status(snapshot(failed=10)),
    ]
    assert all(condition.reason and condition.message for each in shown for condition in each.conditions)


def test_the_best_value_is_short_in_a_column() -> None:
    shown = status(snapshot(complete=1, best=finished(value=0.8910600781029733)))
    assert shown.best is not None
    assert (shown.result, shown.best.value) == ("0.89106", 0.8910600781029733)
