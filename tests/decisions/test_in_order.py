"""What counts of a deterministic study's trials, and which of them ends it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.builders import ended, finished, history, job, reported, snapshot, spec, trial
from tuning_operator.decisions.history import History
from tuning_operator.decisions.in_order import in_order, with_ends
from tuning_operator.decisions.plan import decide
from tuning_operator.decisions.stopping import Verdict, verdict_of
from tuning_operator.decisions.trials import FinishedTrial
from tuning_operator.decisions.usage import Usage

IN_ORDER: dict[str, Any] = {"search": {"seed": 1, "deterministic": True}, "parallelism": 3, "maxTrials": 20}
GOAL: dict[str, Any] = {"objectives": [{"metric": "accuracy", "direction": "Maximize", "goal": 0.9}], **IN_ORDER}
UNUSED = Usage(active_seconds=0.0, trial_seconds=0.0, gpus=1)


def _seen(trials: Iterable[FinishedTrial], total: int, **fields: Any) -> History:
    """Return the history of a study of which these trials have ended."""
    known = {trial.number: trial for trial in trials}
    still_open = [trial(number) for number in range(total) if number not in known]
    best = max(known.values(), key=lambda trial: trial.value or 0.0, default=None)
    seen = history(*still_open, complete=len(known), total=total, best=best)
    return in_order(seen, known.get, spec(**fields))


def _below(number: int) -> FinishedTrial:
    """Return a trial that misses the goal."""
    return finished(number, value=0.1)


def _verdict(trials: Iterable[FinishedTrial], total: int, **fields: Any) -> Verdict | None:
    return verdict_of(spec(**fields), _seen(trials, total, **fields), UNUSED)


def test_a_trial_counts_once_all_before_it_do() -> None:
    seen = _seen([_below(0), _below(2)], 4, **GOAL).in_order
    assert seen is not None
    assert (seen.counted.total, [*seen.ahead]) == (1, [2])
    seen = with_ends(seen, [_below(1)], spec(**GOAL))
    assert (seen.counted.total, seen.counted.complete, [*seen.ahead]) == (3, 3, [])


def test_only_trials_that_are_not_known_yet_are_looked_at() -> None:
    known = _seen(map(_below, (0, 1, 3)), 5, **GOAL).in_order
    assert known is not None
    asked: list[int] = []
    seen = history(trial(2), trial(4), complete=4, total=6)

    def look(number: int) -> FinishedTrial:
        asked.append(number)
        return _below(number)

    in_order(seen, look, spec(**GOAL), known)
    assert asked == [5]


def test_in_another_study_all_that_ended_counts_and_no_trial_is_looked_at() -> None:
    def finished_trial(number: int) -> FinishedTrial:
        raise AssertionError(number)

    seen = history(complete=2, best=finished())
    assert in_order(seen, finished_trial, spec()) is seen
    assert in_order(seen, finished_trial, spec(**IN_ORDER)) is seen, "no rule looks at what they came to"


def test_a_goal_is_reached_once_all_trials_before_have_ended() -> None:
    reached = finished(1, value=0.95)
    assert _verdict([reached], 3, **GOAL) is None
    assert _verdict([finished(0, value=0.1), reached], 4, **GOAL) is not None


def test_the_trial_that_ends_a_study_is_the_first_by_number() -> None:
    trials = [finished(0, value=0.1), finished(1, value=0.91), finished(2, value=0.99), finished(3, value=0.1)]
    verdict = _verdict(trials, 4, **GOAL)
    assert verdict is not None
    assert (verdict.reason, verdict.early, verdict.mode) == ("GoalReached", True, None)
    assert verdict.message.startswith("trial 1 reached accuracy 0.91")


def test_the_trials_that_did_not_have_to_wait_for_the_last_one_are_still_tried() -> None:
    trials = [finished(0, value=0.1), finished(1, value=0.95)]
    assert _verdict(trials, 2, **GOAL) is None
    plan = decide(snapshot(history=_seen(trials, 2, **GOAL), **GOAL))
    assert plan.ask == 2  # trials 2 and 3: only 4 would be suggested with what trial 1 found
    assert _verdict(trials, 4, **GOAL) is not None
    assert decide(snapshot(history=_seen(trials, 4, **GOAL), **GOAL)).ask == 0


def test_no_more_trials_are_tried_than_there_may_be() -> None:
    trials = [finished(0, value=0.1), finished(1, value=0.95)]
    few = GOAL | {"maxTrials": 3}
    verdict = _verdict([*trials, finished(2, value=0.1)], 3, **few)
    assert verdict is not None
    assert verdict.reason == "GoalReached"


def test_the_end_of_a_trial_is_judged_before_others_are_asked_for() -> None:
    known = [finished(0, value=0.1), finished(2, value=0.1)]
    reaching = reported(1, value=0.95, end=ended("Complete"))
    seen = _seen(known, 3, **GOAL)
    seen = History(**{**vars(seen), "open": (reaching,)})
    plan = decide(snapshot(history=seen, jobs=(job(1),), **GOAL))
    assert [outcome.number for outcome in plan.outcomes] == [1]
    assert plan.ask == 1  # trial 3; 4 is not tried


def test_trials_that_are_left_are_tried_to_their_end_unless_the_study_terminates_them() -> None:
    trials = [finished(0, value=0.1), finished(1, value=0.95)]
    seen = _seen(trials, 4, **GOAL)
    plan = decide(snapshot(history=seen, jobs=(job(3),), **GOAL))
    assert (plan.outcomes, [launch.trial.number for launch in plan.launches]) == ((), [2])
    plan = decide(snapshot(history=seen, jobs=(job(3),), stopping={"onEnd": "Terminate"}, **GOAL))
    assert [outcome.number for outcome in plan.outcomes] == [2, 3]
    assert plan.launches == ()


@pytest.mark.parametrize(
    ("rule", "reason", "stop"),
    [
        ({"failedTrials": {"total": 3}}, "TooManyFailedTrials", 5),
        ({"failedTrials": {"consecutive": 2}}, "TooManyFailedTrials", 5),
        ({"plateau": {"trials": 3, "minImprovement": 0.1}}, "Plateau", 6),
    ],
)
def test_rows_of_failures_and_plateaus_are_rows_of_numbers(rule: dict[str, Any], reason: str, stop: int) -> None:
    ends = [finished(number, value=0.5) for number in range(12)]
    for number in (1, 4, 5):
        ends[number] = finished(number, "Failed", None, reason="Error")
    fields = IN_ORDER | {"stopping": rule}
    for order in (ends, ends[::-1], ends[::2] + ends[1::2]):
        seen = _seen(order, 12, **fields)
        assert seen.in_order is not None
        assert seen.in_order.stop == stop
        verdict = verdict_of(spec(**fields), seen, UNUSED)
        assert verdict is not None
        assert verdict.reason == reason


def test_a_goal_that_is_raised_lets_the_study_go_on() -> None:
    trials = [finished(0, value=0.1), finished(1, value=0.95), finished(2, value=0.1), finished(3, value=0.1)]
    assert _verdict(trials, 4, **GOAL) is not None
    harder = {**IN_ORDER, "objectives": [{"metric": "accuracy", "direction": "Maximize", "goal": 0.99}]}
    assert _verdict(trials, 4, **harder) is None
