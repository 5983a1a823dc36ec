from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import NOW, job, reported, snapshot, spec, trial
from tuning_operator.decisions.hold_ups import HoldUp, hold_ups
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.study_status import study_status, trial_counts
from tuning_operator.decisions.trials import EarlierAttempts


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", "Unschedulable"),
        ("FailedCreate: pods is forbidden: exceeded quota", "PodRefused"),
        ("ImagePullBackOff: Back-off pulling image", "ImageProblem"),
        ("CreateContainerConfigError: secret not found", "Other"),
    ],
)
def test_a_pod_that_does_not_start_has_a_reason(message: str, reason: str) -> None:
    held = snapshot(trial(0), trial(1), jobs=(job(0, "Pending", message=message), job(1, "Pending")), parallelism=2)
    assert {kind: count for kind, count in hold_ups(held).items() if count} == {reason: 1}


def test_a_trial_that_reported_before_a_queue_took_its_pod_is_held_up_like_any_other() -> None:
    released = job(0, "Pending", released_at=NOW - 5, message="Unschedulable: no node has a GPU")
    held = snapshot(reported(0, last_report_at=NOW - 99), jobs=(released,))
    assert hold_ups(held)[HoldUp.UNSCHEDULABLE] == 1
    assert trial_counts(held).pending == 1
    suspended = replace(held, spec=spec(suspend={"enabled": True}))
    assert len(decide(suspended).deletions) == 1, "Drain lets running pods finish, and this one does not run"


def test_trials_in_a_queue_and_between_attempts_are_held_up() -> None:
    retrying = trial(1, attempt=2, earlier=EarlierAttempts(disruptions=1, retry_at=NOW + 10))
    held = snapshot(trial(0), retrying, jobs=(job(0, "Suspended", running_at=None),))
    assert {kind: count for kind, count in hold_ups(held).items() if count} == {"Queued": 1, "Retrying": 1}


def test_running_and_starting_trials_are_not_held_up() -> None:
    fine = snapshot(reported(0), trial(1), jobs=(job(0), job(1, "Pending")))
    assert not any(hold_ups(fine).values())


def test_the_status_says_what_most_pods_wait_for() -> None:
    waiting = [job(number, "Pending", message="Unschedulable: no GPU") for number in range(2)]
    jobs = (*waiting, job(2, "Pending", message="ErrImagePull: x"), job(3))
    held = snapshot(*(trial(number) for number in range(3)), reported(3), jobs=jobs, parallelism=4)
    degraded = next(each for each in study_status(held, "").conditions if each.type == "Degraded")
    assert (degraded.status, degraded.reason) == ("True", "PodsNotStarting")
    assert degraded.message == "no pod is running for 2 of 4 trials: Unschedulable: no GPU (and 1 other reasons)"
