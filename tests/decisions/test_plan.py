from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import NOW, ended, finished, job, reported, snapshot, spec, trial
from tuning_operator.decisions.actions import Deletion
from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.plan import decide

ONE_DONE = {"complete": 1, "best": finished(), "active": ActiveTime(99), "maxTrials": 1, "parallelism": 1}
"""A study with one trial, which is complete."""
GOAL = [{"metric": "accuracy", "direction": "Maximize", "goal": 0.9}]


def test_a_new_study_asks_for_as_many_trials_as_may_run() -> None:
    plan = decide(snapshot(parallelism=3))
    assert plan.ask == 3


def test_a_study_never_asks_for_more_than_its_last_trials() -> None:
    plan = decide(snapshot(complete=9, best=finished(), maxTrials=10, parallelism=4))
    assert plan.ask == 1


def test_a_search_that_waits_for_running_trials_is_not_asked_before_one_has_ended() -> None:
    waiting = snapshot(reported(0), trial(1), jobs=(job(0),), parallelism=4, waits=True)
    plan = decide(waiting)
    assert (plan.ask, [launch.trial.number for launch in plan.launches]) == (0, [1])
    assert decide(replace(waiting, history=replace(waiting.history, waits=False))).ask == 2


def test_a_trial_that_was_asked_for_and_has_no_job_is_launched_again() -> None:
    plan = decide(snapshot(trial(0), trial(1), jobs=(job(1),)))
    assert [launch.trial.number for launch in plan.launches] == [0]
    assert plan.ask == 0


def test_an_ended_trials_slot_is_filled_in_the_same_plan() -> None:
    plan = decide(snapshot(reported(0, end=ended("Complete")), reported(1), jobs=(job(0), job(1))))
    assert [outcome.number for outcome in plan.outcomes] == [0]
    assert plan.ask == 1


def test_lowering_parallelism_kills_nothing_and_starts_nothing() -> None:
    trials = tuple(reported(number) for number in range(3))
    plan = decide(snapshot(*trials, trial(3), jobs=tuple(job(n) for n in range(3)), parallelism=1))
    assert plan.is_empty


def test_waiting_trials_are_launched_only_while_there_are_slots() -> None:
    plan = decide(snapshot(trial(0), trial(1), trial(2), parallelism=2))
    assert [launch.trial.number for launch in plan.launches] == [0, 1]


def test_nothing_starts_while_no_job_can_be_created() -> None:
    plan = decide(snapshot(trial(0), problem="quota exceeded", blocked_until=NOW + 5))
    assert plan.is_empty
    assert plan.requeue_at == NOW + 5
    assert not decide(snapshot(trial(0), problem="quota exceeded", blocked_until=NOW)).is_empty


def test_reaching_the_goal_stops_asking_and_lets_running_trials_finish() -> None:
    plan = decide(
        snapshot(reported(0, value=0.95, end=ended("Complete")), reported(1), jobs=(job(0), job(1)), objectives=GOAL)
    )
    assert [outcome.number for outcome in plan.outcomes] == [0]
    assert (plan.ask, plan.launches, plan.deletions) == (0, (), ())


def test_an_early_end_gives_up_trials_without_a_running_pod() -> None:
    best = finished(0, value=0.95)
    plan = decide(snapshot(trial(1), trial(2), complete=1, best=best, jobs=(job(1, phase="Pending"),), objectives=GOAL))
    assert [(outcome.number, outcome.state, outcome.reason) for outcome in plan.outcomes] == [
        (1, "Pruned", "StudyEnded"),
        (2, "Pruned", "StudyEnded"),
    ]
    assert plan.deletions == (Deletion("digits-11112222-1-1", 1, "trial 1 ended: StudyEnded"),)


def test_an_early_end_with_terminate_ends_running_trials_too() -> None:
    best = finished(0, value=0.95)
    stopping = {"onEnd": "Terminate"}
    plan = decide(snapshot(reported(1), complete=1, best=best, jobs=(job(1),), objectives=GOAL, stopping=stopping))
    assert [outcome.number for outcome in plan.outcomes] == [1]
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-1-1"]


def test_the_last_trials_run_to_their_end() -> None:
    plan = decide(snapshot(trial(1), complete=9, best=finished(), jobs=(job(1, phase="Pending"),), maxTrials=10))
    assert plan.is_empty


def test_too_many_failures_in_a_row_end_the_study_in_the_same_plan() -> None:
    stopping = {"failedTrials": {"consecutive": 2}}
    trials = (trial(1, end=ended("Failed", "a")), trial(2))
    plan = decide(snapshot(*trials, jobs=(job(1), job(2, "Pending")), failed=1, failed_streak=1, stopping=stopping))
    assert [(outcome.number, outcome.reason) for outcome in plan.outcomes] == [(1, "Error"), (2, "StudyEnded")]
    assert plan.ask == 0


def test_a_success_between_failures_breaks_their_row() -> None:
    stopping = {"failedTrials": {"consecutive": 2}}
    trials = (reported(1, end=ended("Complete")), trial(2, end=ended("Failed")))
    plan = decide(snapshot(*trials, jobs=(job(1), job(2)), failed=1, failed_streak=1, stopping=stopping))
    assert plan.ask == 2


def test_suspending_with_drain_lets_running_pods_finish_and_withdraws_the_others() -> None:
    jobs = (job(0), job(1, phase="Pending"))
    plan = decide(snapshot(reported(0), trial(1), jobs=jobs, suspend={"enabled": True}, parallelism=3))
    assert [(new.number, new.attempt, new.reason) for new in plan.new_attempts] == [(1, 2, "Suspended")]
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-1-1"]
    assert (plan.ask, plan.launches, plan.outcomes) == (0, (), ())


def test_suspending_with_terminate_ends_a_trial_that_was_told_to_stop() -> None:
    of_trial = snapshot(reported(0, prune_decided_at=NOW - 1), jobs=(job(0),))
    assert decide(of_trial).outcomes == (), "it has its time for that"
    plan = decide(replace(of_trial, spec=spec(suspend={"enabled": True, "mode": "Terminate"})))
    assert [outcome.reason for outcome in plan.outcomes] == ["Pruned"]
    assert (len(plan.deletions), plan.new_attempts) == (1, ())


def test_suspending_with_terminate_withdraws_all_jobs_and_keeps_the_trials() -> None:
    suspend = {"enabled": True, "mode": "Terminate"}
    plan = decide(snapshot(reported(0), jobs=(job(0),), suspend=suspend))
    (new,) = plan.new_attempts
    assert (new.number, new.attempt, new.reason) == (0, 2, "Suspended")
    assert new.earlier.running_seconds == 50, "the pod had run since NOW - 50"
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-0-1"]
    assert plan.outcomes == ()


def test_a_resumed_trial_is_launched_under_its_new_attempt() -> None:
    leaving = job(0, attempt=1, deleting=True)
    plan = decide(snapshot(trial(0, attempt=2), jobs=(leaving,), maxTrials=1, parallelism=1))
    assert [launch.trial.attempt for launch in plan.launches] == [2]
    assert plan.deletions == ()


def test_an_attempt_waits_until_the_job_before_has_been_told_to_leave() -> None:
    old = job(0, attempt=1)
    plan = decide(snapshot(trial(0, attempt=2), jobs=(old,), maxTrials=5, parallelism=1))
    assert ([deletion.job for deletion in plan.deletions], plan.launches) == ([old.name], ())
    assert plan.ask == 0, "it keeps its slot"


def test_the_job_of_an_older_attempt_is_deleted() -> None:
    plan = decide(
        snapshot(trial(0, attempt=2), jobs=(job(0, attempt=1), job(0, attempt=2)), maxTrials=1, parallelism=1)
    )
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-0-1"]


def test_an_ended_trials_pod_may_leave_in_peace_but_not_stay() -> None:
    told = {0: finished(0, "Pruned", ended_at=NOW - 29)}
    leaving = snapshot(jobs=(job(0),), ended=told, **ONE_DONE)
    assert decide(leaving).is_empty
    assert decide(leaving).requeue_at == NOW + 1
    told = {0: finished(0, "Pruned", ended_at=NOW - 30)}
    plan = decide(snapshot(jobs=(job(0),), ended=told, **ONE_DONE))
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-0-1"]


@pytest.mark.parametrize(("seconds", "deleted"), [(899, []), (900, ["digits-11112222-0-1"])])
def test_a_complete_trials_pod_has_time_to_save_its_model(seconds: float, deleted: list[str]) -> None:
    told = {0: finished(0, ended_at=NOW - seconds)}
    plan = decide(snapshot(jobs=(job(0),), ended=told, **ONE_DONE))
    assert [deletion.job for deletion in plan.deletions] == deleted


def test_a_trial_that_reports_is_not_launched_although_its_job_is_not_seen() -> None:
    plan = decide(snapshot(reported(0), maxTrials=1, parallelism=1))
    assert plan.launches == ()
    assert plan.requeue_at == NOW + 50


def test_draining_leaves_a_trial_alone_that_reported_before_its_job_was_seen_running() -> None:
    plan = decide(
        snapshot(reported(0), jobs=(job(0, phase="Pending"),), active=ActiveTime(9), suspend={"enabled": True})
    )
    assert plan.is_empty


def test_a_wave_of_ends_is_told_at_once() -> None:
    trials = [reported(number, value=number / 5000, end=ended("Complete")) for number in range(5000)]
    jobs = tuple(job(number) for number in range(5000))
    plan = decide(snapshot(*trials, jobs=jobs, maxTrials=9000, parallelism=5000))
    assert len(plan.outcomes) == 5000
    assert plan.ask == 4000


def test_a_job_that_is_being_deleted_is_not_deleted_again() -> None:
    told = {0: finished(0, ended_at=NOW - 300)}
    jobs = (job(0, deleting=True),)
    assert decide(snapshot(jobs=jobs, ended=told, **ONE_DONE)).is_empty


def test_a_trial_that_ignores_its_pruning_is_told_and_its_pod_deleted() -> None:
    plan = decide(snapshot(reported(0, prune_decided_at=NOW - 30), jobs=(job(0),)))
    assert [outcome.reason for outcome in plan.outcomes] == ["Pruned"]
    assert [deletion.job for deletion in plan.deletions] == ["digits-11112222-0-1"]


@pytest.mark.parametrize(
    ("one", "its_job", "due"),
    [
        (trial(0), job(0, phase="Pending", created_at=NOW - 10), NOW - 10 + 1800),
        (reported(0, prune_decided_at=NOW - 10), job(0), NOW + 20),
    ],
)
def test_a_deadline_requeues_the_study(one: object, its_job: object, due: float) -> None:
    assert decide(snapshot(one, jobs=(its_job,))).requeue_at == due  # type: ignore[arg-type]


def test_a_job_of_a_trial_that_does_not_exist_is_left_alone() -> None:
    assert decide(snapshot(jobs=(job(77),), **ONE_DONE)).is_empty
