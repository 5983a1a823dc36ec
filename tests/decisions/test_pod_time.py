"""A trial's time with a running pod, over all that a queue takes from it and all restarts of the operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOW, job, reported, snapshot, trial, trial_fields
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.pod_time import attempt_seconds
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.trials import OpenTrial, PodTime
from tuning_operator.decisions.usage import usage_of

HELD: dict[str, Any] = {"phase": "Suspended", "running_at": None, "held_since": NOW - 500}
"""A Job that a queue took a pod from, of which this operator knows nothing."""
RAN = ((NOW - 577, NOW - 500),)
"""That pod."""


def kept(one: OpenTrial, of: TrialJob) -> OpenTrial:
    """Return a trial after a step; a further one finds nothing to store."""
    for time in decide(snapshot(one, jobs=(of,))).pod_times:
        assert (time.number, time.attempt) == (one.number, one.attempt)
        one = replace(one, pod_time=time.time)
    assert decide(snapshot(one, jobs=(of,))).pod_times == ()
    return one


def seconds(one: OpenTrial, of: TrialJob | None) -> float:
    return usage_of(snapshot(one, jobs=() if of is None else (of,))).trial_seconds


def test_a_job_that_a_queue_took_its_pod_from_keeps_the_time_that_it_ran() -> None:
    assert seconds(reported(0), job(0, earlier_pods=RAN, **HELD)) == 77
    assert seconds(reported(0), job(0, earlier_pods=RAN)) == 77 + 50


def test_a_restart_loses_nothing_of_it() -> None:
    one = kept(reported(0), job(0, earlier_pods=RAN, **HELD))
    assert one.pod_time == PodTime(77, NOW - 500)
    assert seconds(one, job(0, **HELD)) == 77
    assert seconds(one, job(0, earlier_pods=RAN)) == 77 + 50, "and counts nothing twice"
    assert seconds(one, job(0)) == 77 + 50


def test_the_run_deadline_counts_the_time_before_a_queue_took_the_pod_and_the_operator_started_anew() -> None:
    run = {"trial": trial_fields(deadlines={"run": "2m"})}
    one = reported(0, pod_time=PodTime(77, NOW - 500))
    for running_at, reasons in ((NOW - 42, []), (NOW - 43, ["RunDeadlineExceeded"])):
        plan = decide(snapshot(one, jobs=(job(0, running_at=running_at),), **run))
        assert [outcome.reason for outcome in plan.outcomes] == reasons


def test_a_pod_that_a_queue_took_while_no_operator_looked_ran_until_then() -> None:
    queued = {"created_at": NOW - 9999, "released_at": NOW - 9000}
    one = kept(trial(0), job(0, running_at=NOW - 600, **queued))
    assert one.pod_time == PodTime(0.0, NOW - 600, goes_on=True)
    assert seconds(one, job(0, **HELD)) == 100
    released = job(0, "Pending", created_at=NOW - 9999, released_at=NOW - 20)
    assert seconds(one, released) == 580, "when it was taken is not known, but at most that"
    assert seconds(kept(one, released), replace(released, phase=JobPhase.RUNNING, running_at=NOW - 5)) == 585


@pytest.mark.parametrize("fields", [HELD, {"phase": "Pending", "released_at": NOW - 400}])
def test_what_was_not_seen_at_all_is_known_by_the_reports_and_kept(fields: dict[str, Any]) -> None:
    one = kept(reported(0, first_report_at=NOW - 700, last_report_at=NOW - 510), job(0, **fields))
    assert seconds(one, job(0, **fields)) == 190
    assert seconds(one, job(0, released_at=NOW - 80)) == 190 + 50


def test_the_time_between_two_pods_in_a_queue_is_no_gpu_time_although_reports_came_before_and_after_it() -> None:
    reports = reported(0, first_report_at=NOW - 36000, last_report_at=NOW - 1)
    resumed = job(0, created_at=NOW - 40000, released_at=NOW - 70, earlier_pods=RAN)
    assert seconds(reports, resumed) == 77 + 50
    unseen = job(0, phase="Pending", created_at=NOW - 40000, released_at=NOW - 70)
    assert seconds(reports, unseen) == 69


def test_a_job_that_no_queue_has_to_do_with_costs_no_write() -> None:
    for phase in ("Pending", "Running", "Complete", "Failed"):
        assert kept(reported(0), job(0, phase)).pod_time == PodTime()


def test_a_job_that_waits_in_a_queue_for_the_first_time_costs_none_either() -> None:
    assert kept(trial(0), job(0, **HELD)).pod_time == PodTime()


def test_an_attempt_whose_job_is_gone_ran_as_long_as_it_reported() -> None:
    one = reported(0, last_report_at=NOW - 10, pod_time=PodTime(77, NOW - 60, goes_on=True))
    assert seconds(one, None) == 77 + 50


EVENTS = st.lists(st.sampled_from(["run", "take", "release", "restart"]), max_size=12)


@given(EVENTS, st.lists(st.integers(1, 1000), min_size=12, max_size=12))
def test_whenever_the_operator_starts_anew_the_time_is_what_it_was(events: list[str], pauses: list[int]) -> None:
    one, of, now, truth = trial(0), job(0, "Suspended", running_at=None, held_since=NOW), NOW, 0.0
    for event, pause in zip(events, pauses, strict=False):
        now += pause
        truth += pause if of.running_at is not None else 0
        if event == "run" and of.phase is JobPhase.PENDING:
            of = replace(of, phase=JobPhase.RUNNING, running_at=now)
        elif event == "release" and of.phase is JobPhase.SUSPENDED:
            of = replace(of, phase=JobPhase.PENDING, held_since=None, released_at=now)
        elif event == "take" and of.phase is not JobPhase.SUSPENDED:
            pods = of.earlier_pods if of.running_at is None else (*of.earlier_pods, (of.running_at, now))
            of = replace(of, phase=JobPhase.SUSPENDED, running_at=None, held_since=now, earlier_pods=pods)
        elif event == "restart":
            of = replace(of, earlier_pods=())
        assert attempt_seconds(one, of, now) == truth
        one = kept(one, of)
        assert attempt_seconds(one, of, now) == truth
