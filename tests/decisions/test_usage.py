from __future__ import annotations

from typing import Any

import pytest

from tests.builders import NOW, finished, job, reported, snapshot, trial_fields
from tuning_operator.decisions.history import ActiveTime, Improvement
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.stopping import longest_plateau, verdict_of
from tuning_operator.decisions.trials import EarlierAttempts
from tuning_operator.decisions.usage import usage_of

GPU_TRIAL: dict[str, Any] = trial_fields()
GPU_TRIAL["template"]["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 2}}


def test_gpu_time_counts_finished_earlier_and_running_attempts() -> None:
    retried = reported(0, attempt=2, earlier=EarlierAttempts(disruptions=1, running_seconds=1000.0))
    usage = usage_of(snapshot(retried, jobs=(job(0, attempt=2),), running_seconds=500.0, trial=GPU_TRIAL))
    assert usage.trial_seconds == 500 + 1000 + 50
    assert usage.gpu_seconds == 2 * 1550


def test_all_runs_of_a_trial_hold_gpus() -> None:
    usage = usage_of(snapshot(reported(0), jobs=(job(0),), trial={**GPU_TRIAL, "folds": 3, "repeats": 2}))
    assert (usage.trial_seconds, usage.gpus, usage.gpu_seconds) == (50, 12, 600)


def test_a_trial_holds_the_gpus_of_the_runs_that_it_has_at_once() -> None:
    few = {**GPU_TRIAL, "folds": 3, "repeats": 2, "parallelRuns": 2}
    assert usage_of(snapshot(reported(0), jobs=(job(0),), trial=few)).gpus == 4


def test_a_used_up_gpu_budget_ends_the_study_and_drains_it() -> None:
    used = snapshot(reported(0), jobs=(job(0),), stopping={"gpuHours": 0.02}, trial=GPU_TRIAL)
    verdict = verdict_of(used.spec, used.history, usage_of(used))
    assert verdict is not None
    assert verdict.message == "0.02778 GPU hours are used; stopping.gpuHours is 0.02"
    assert (decide(used).ask, decide(used).outcomes) == (0, ())


def test_a_budget_requeues_the_study_when_it_will_be_used_up() -> None:
    stopping = {"gpuHours": 0.1, "duration": "1h"}
    plan = decide(snapshot(reported(0), jobs=(job(0),), stopping=stopping, trial=GPU_TRIAL, parallelism=1))
    assert plan.requeue_at == pytest.approx(NOW + (360 - 2 * 50) / 2)
    plan = decide(snapshot(reported(0), jobs=(job(0),), stopping={"duration": "2m"}, parallelism=1))
    assert plan.requeue_at == NOW + 20, "the study began at NOW - 100"


def test_pods_of_trials_that_have_ended_use_up_no_budget() -> None:
    ended = {"complete": 1, "best": finished(1), "ended": {1: finished(1)}}
    jobs, stopping = (job(0), job(1)), {"gpuHours": 0.1}
    plan = decide(snapshot(reported(0), jobs=jobs, stopping=stopping, trial=GPU_TRIAL, parallelism=1, **ended))
    alone = decide(snapshot(reported(0), jobs=jobs[:1], stopping=stopping, trial=GPU_TRIAL, parallelism=1))
    assert plan.requeue_at == alone.requeue_at == pytest.approx(NOW + (360 - 2 * 50) / 2)


def test_a_study_ends_when_its_active_time_is_over() -> None:
    plan = decide(snapshot(reported(0), jobs=(job(0),), stopping={"duration": "100s"}))
    assert (plan.ask, plan.outcomes) == (0, ()), "the running trial may finish"
    plan = decide(snapshot(reported(0), jobs=(job(0),), stopping={"duration": "100s", "onEnd": "Terminate"}))
    assert [outcome.message for outcome in plan.outcomes] == ["the study ended: DurationReached"]


def test_the_clock_stands_while_the_study_is_suspended() -> None:
    plan = decide(snapshot(reported(0), jobs=(job(0),), suspend={"enabled": True}))
    assert plan.active_time == ActiveTime(100.0, since=None)
    suspended = snapshot(reported(0), jobs=(job(0),), active=plan.active_time, suspend={"enabled": True})
    assert decide(suspended).active_time is None
    resumed = snapshot(reported(0), jobs=(job(0),), active=plan.active_time)
    assert decide(resumed).active_time == ActiveTime(100.0, since=NOW)
    assert usage_of(suspended).active_seconds == 100


def test_the_clock_stands_when_the_study_has_ended_and_goes_on_when_a_limit_is_raised() -> None:
    done: dict[str, Any] = {"complete": 2, "best": finished(), "parallelism": 1}
    assert decide(snapshot(maxTrials=2, **done)).active_time == ActiveTime(100.0, since=None)
    raised = decide(snapshot(maxTrials=3, active=ActiveTime(100.0), **done))
    assert (raised.active_time, raised.ask) == (ActiveTime(100.0, since=NOW), 1)


def test_a_person_ends_the_study_at_once_or_lets_it_drain() -> None:
    drained = decide(snapshot(reported(0), jobs=(job(0),), stopping={"now": "Drain"}))
    assert (drained.ask, drained.outcomes, drained.deletions) == (0, (), ())
    stopped = decide(snapshot(reported(0), jobs=(job(0),), stopping={"now": "Terminate"}))
    assert [outcome.reason for outcome in stopped.outcomes] == ["StudyEnded"]
    assert len(stopped.deletions) == 1


def test_a_stopped_study_is_complete_although_it_has_no_complete_trial() -> None:
    ended = snapshot(failed=1, stopping={"now": "Drain"})
    verdict = verdict_of(ended.spec, ended.history, usage_of(ended))
    assert verdict is not None
    assert (verdict.failed, verdict.reason) == (False, "StoppedByUser")


@pytest.mark.parametrize(
    ("improvements", "judged", "min_improvement", "longest"),
    [
        ([], 9, 0, 0),
        ([(1, 0.5)], 1, 0, 0),
        ([(1, 0.5)], 4, 0, 3),
        ([(3, 0.5), (5, 0.6)], 6, 0, 1),
        ([(1, 0.5), (9, 0.6), (10, 0.7)], 10, 0, 7),
        ([(1, 0.5), (2, 0.505), (3, 0.509), (4, 0.511)], 5, 0.01, 2),
    ],
)
def test_a_plateau_is_the_longest_row_of_trials_that_were_not_better_by_enough(
    improvements: list[tuple[int, float]], judged: int, min_improvement: float, longest: int
) -> None:
    steps = tuple(Improvement(*each) for each in improvements)
    seen = snapshot(complete=judged, improvements=steps, best=finished())
    assert longest_plateau(seen.history, seen.spec, min_improvement) == longest


def test_a_plateau_looks_down_where_less_is_better() -> None:
    minimize = [{"metric": "loss", "direction": "Minimize"}]
    steps = (Improvement(1, 0.5), Improvement(2, 0.4))
    seen = snapshot(complete=5, improvements=steps, objectives=minimize, stopping={"plateau": {"trials": 3}})
    verdict = verdict_of(seen.spec, seen.history, usage_of(seen))
    assert verdict is not None
    assert (verdict.reason, verdict.failed, verdict.early) == ("Plateau", False, True)
