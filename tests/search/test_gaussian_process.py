"""GP models a bounded part of its trials, and does not try again and again what fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from optuna.study import StudyDirection
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import FrozenTrial, TrialState, create_trial

from tests.search.drafting import Drafting
from tests.search.studies import study_spec
from tuning_operator.search.attributes import REASON
from tuning_operator.search.gaussian_process import _as_bad_as_the_worst, _modelled

MINIMIZE, MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
SPACE = (
    {"name": "x", "type": "Float", "low": 0, "high": 1},
    {"name": "y", "type": "Float", "low": 0, "high": 1},
)


def _trial(number: int, *values: float, excess: float | None = None) -> FrozenTrial:
    attrs = {} if excess is None else {f"{_CONSTRAINTS_KEY}:bound": excess}
    trial = create_trial(values=[*values], system_attrs=attrs)
    trial.number = number
    return trial


def _numbers(trials: Sequence[FrozenTrial]) -> list[int]:
    return [trial.number for trial in trials]


def test_few_results_are_all_modelled() -> None:
    trials = [_trial(number, 0.5) for number in range(6)]
    assert _modelled(trials, [MINIMIZE], 6) is trials


@pytest.mark.parametrize(("direction", "best"), [(MINIMIZE, [0, 1, 2]), (MAXIMIZE, [17, 18, 19])])
def test_of_many_the_best_are_modelled_and_some_of_all_others(direction: StudyDirection, best: list[int]) -> None:
    trials = [_trial(number, float(number)) for number in range(20)]
    chosen = _numbers(_modelled(trials, [direction], 6))
    others = [number for number in range(20) if number not in best]
    assert chosen == sorted([*best, others[0], others[8], others[-1]])


def test_the_best_of_several_objectives_are_the_front() -> None:
    front = [_trial(10 + number, float(number), 3.0 - number) for number in range(4)]
    behind = [_trial(number, 5.0, 5.0) for number in range(10)]
    assert {10, 11, 12, 13} < set(_numbers(_modelled([*behind, *front], [MINIMIZE, MINIMIZE], 8)))


def test_trials_that_keep_their_bounds_are_better_than_those_that_do_not() -> None:
    beyond = [_trial(number, 0.0, excess=1.0) for number in range(10)]
    within = [_trial(10 + number, 9.0, excess=-1.0) for number in range(3)]
    assert {10, 11, 12} < set(_numbers(_modelled([*beyond, *within], [MINIMIZE], 6)))


def test_what_failed_is_as_bad_as_the_worst_of_each_objective_and_bound() -> None:
    complete = [_trial(0, 1.0, 7.0, excess=0.5), _trial(1, 4.0, 2.0, excess=-3.0)]
    (failed,) = _as_bad_as_the_worst([create_trial(state=TrialState.FAIL)], complete, [MINIMIZE, MAXIMIZE])
    assert (failed.state, failed.values) == (TrialState.COMPLETE, [4.0, 2.0])
    assert failed.constraints == {"bound": 0.5}


def _search(reason: str, trials: int = 24) -> tuple[int, Drafting]:
    """Search for a minimum inside of a region in which trials fail; return how many did."""
    sampler = {"name": "GP", "options": {"nStartupTrials": 6}}
    drafting, failed = Drafting(study_spec(SPACE, {"sampler": sampler, "seed": 1}, direction="Minimize")), 0
    for number in range(trials):
        ((x, y),) = ((float(point["x"]), float(point["y"])) for point in drafting.ask(1))
        if 0.2 < x < 0.5:
            failed += 1
            drafting.tell_trial(number, None, TrialState.FAIL, **{REASON: reason})
        else:
            drafting.tell_trial(number, (x - 0.35) ** 2 + (y - 0.5) ** 2)
    return failed, drafting


@pytest.mark.training
def test_a_region_in_which_trials_fail_is_left() -> None:
    pytest.importorskip("torch", reason="GP needs PyTorch")
    failed, drafting = _search("NotFinite")
    not_learned, _ = _search("Preempted")
    assert failed < not_learned / 2
    drafting.restart()
    after_restart = drafting.ask(1)
    again = _search("NotFinite")[1].ask(1)
    assert after_restart == again
