"""No point is tried twice, where a space is endless in some branches and where trials are enqueued."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.search.drafting import Drafting
from tests.search.studies import study_spec
from tuning_operator.api.study import StudySpec

SEEDS = pytest.mark.parametrize("seed", range(5))
UNIQUE = {"name": "Random", "options": {"unique": True}}
WALKS = pytest.mark.parametrize(
    "sampler", [{"name": "Grid"}, {"name": "BruteForce"}, UNIQUE], ids=lambda sampler: str(sampler["name"])
)
HALF_ENDLESS: tuple[Mapping[str, Any], ...] = (
    {"name": "kind", "type": "Categorical", "choices": ["a", "b"]},
    {"name": "layers", "type": "Int", "low": 1, "high": 2},
    {"name": "x", "type": "Float", "low": 0, "high": 1, "when": {"parameter": "kind", "in": ["b"]}},
)
"""There are two points with kind a, and endlessly many with b."""
FINITE = ({"name": "p", "type": "Int", "low": 1, "high": 3}, {"name": "q", "type": "Int", "low": 1, "high": 2})


def _spec(space: Any, constraints: Sequence[str] = (), sampler: Any = UNIQUE, **search: Any) -> StudySpec:
    spec = study_spec(space, {"sampler": sampler, **search})
    return StudySpec.model_validate({**spec.to_document(), "constraints": list(constraints)})


def _points(trials: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(trial.values()) for trial in trials]


def _deep(depth: int) -> tuple[Mapping[str, Any], ...]:
    """A chain of parameters, of which the last alone is endless."""
    chain = [{"name": f"p{i}", "type": "Categorical", "choices": ["on", "off"]} for i in range(depth)]
    chain.append({"name": f"p{depth}", "type": "Float", "low": 0, "high": 1})
    return tuple(p | ({"when": {"parameter": f"p{i - 1}", "in": ["on"]}} if i else {}) for i, p in enumerate(chain))


@SEEDS
def test_a_point_of_a_branch_without_a_continuous_float_is_tried_once(seed: int) -> None:
    drafting = Drafting(_spec(HALF_ENDLESS, seed=seed))
    trials = drafting.ask(60)
    assert len(set(_points(trials))) == 60
    assert {("a", 1), ("a", 2)} < set(_points(trials))
    assert drafting.asking.size() is None


@SEEDS
def test_restarts_and_asks_of_one_change_no_point_of_an_endless_space(seed: int) -> None:
    at_once, one_by_one = (Drafting(_spec(HALF_ENDLESS, ["x <= 0.5"], seed=seed)) for _ in range(2))
    for trial in at_once.ask(20):
        assert one_by_one.ask(1) == [trial]
        one_by_one.restart()


def test_a_branch_that_is_hardly_ever_drawn_keeps_a_space_endless() -> None:
    trials = Drafting(_spec(_deep(30))).ask(40)
    assert len(set(_points(trials))) == 40


@pytest.mark.parametrize("constraint", ["x > 0.999", "x < 0.001", "kind == 'a' || layers == 2"])
def test_constraints_leave_a_space_endless_that_leave_a_part_of_an_endless_branch(constraint: str) -> None:
    drafting = Drafting(_spec(HALF_ENDLESS, [constraint]))
    trials = drafting.ask(20)
    assert len(set(_points(trials))) == 20
    assert drafting.asking.size() is None


@pytest.mark.parametrize("constraint", ["kind == 'a'", "x > 1.0"])
def test_a_space_has_an_end_where_constraints_forbid_its_endless_branches(constraint: str) -> None:
    drafting = Drafting(_spec(HALF_ENDLESS, [constraint]))
    assert sorted(_points(drafting.ask(9))) == [("a", 1), ("a", 2)]
    assert (drafting.asking.size(), drafting.asking.why_none()) == (2, "")


@SEEDS
def test_what_is_filled_in_for_an_enqueued_trial_of_an_endless_space_is_new(seed: int) -> None:
    whole = [{"kind": "a", "layers": 2}, {"kind": "b", "layers": 1, "x": 0.25}]
    enqueued = [{"kind": "a"}, {"kind": "b", "x": 0.25}, *whole]
    trials = Drafting(_spec(HALF_ENDLESS, enqueue=enqueued, seed=seed)).ask(30)
    assert _points(trials[:4]) == [("a", 1), ("b", 2, 0.25), ("a", 2), ("b", 1, 0.25)]
    assert len(set(_points(trials))) == 30


@WALKS
@SEEDS
def test_what_is_filled_in_for_an_enqueued_trial_is_no_point_that_a_later_one_gives(
    sampler: Mapping[str, Any], seed: int
) -> None:
    enqueued: list[dict[str, int]] = [{}, {"p": 1, "q": 1}, {"q": 2}, {"p": 2, "q": 2}]
    drafting = Drafting(_spec(FINITE, sampler=sampler, enqueue=enqueued, seed=seed))
    trials = drafting.ask(99)
    assert all(given.items() <= trial.items() for given, trial in zip(enqueued, trials, strict=False))
    assert sorted(_points(trials)) == [*itertools.product((1, 2, 3), (1, 2))]
    assert drafting.asking.size() == 6


@WALKS
def test_what_is_filled_in_for_an_enqueued_trial_meets_constraints_too(sampler: Mapping[str, Any]) -> None:
    enqueued: list[dict[str, int]] = [{}, {"p": 2, "q": 2}]
    drafting = Drafting(_spec(FINITE, ["p + q == 4"], sampler, enqueue=enqueued))
    assert _points(drafting.ask(99)) == [(3, 1), (2, 2)]
    assert drafting.asking.size() == 2


@WALKS
def test_a_point_that_is_enqueued_twice_runs_twice_and_no_more(sampler: Mapping[str, Any]) -> None:
    enqueued: list[dict[str, int]] = [{"p": 1}, {"p": 1, "q": 2}, {"p": 1, "q": 2}]
    drafting = Drafting(_spec(FINITE, sampler=sampler, enqueue=enqueued))
    trials = _points(drafting.ask(99))
    assert trials[:3] == [(1, 1), (1, 2), (1, 2)]
    assert sorted(trials[3:]) == [*itertools.product((2, 3), (1, 2))]
    assert drafting.asking.size() == 7


@WALKS
def test_an_enqueued_trial_for_which_later_ones_leave_no_point_runs_nevertheless(sampler: Mapping[str, Any]) -> None:
    enqueued: list[dict[str, int]] = [{"p": 1}, {"p": 1, "q": 1}, {"p": 1, "q": 2}]
    drafting = Drafting(_spec(FINITE, sampler=sampler, enqueue=enqueued))
    trials = _points(drafting.ask(99))
    assert trials[1:3] == [(1, 1), (1, 2)]
    assert trials[0] in trials[1:3]
    assert len(trials) == drafting.asking.size() == 7


def test_an_enqueued_trial_beside_the_grid_is_not_run_twice() -> None:
    space = ({"name": "rate", "type": "Float", "low": 0, "high": 1}, FINITE[1])
    sampler = {"name": "Grid", "options": {"points": 3}}
    for seed in range(5):
        enqueued = [{"rate": 0.3}, {"rate": 0.3, "q": 2}]
        trials = Drafting(_spec(space, sampler=sampler, enqueue=enqueued, seed=seed)).ask(99)
        assert _points(trials[:2]) == [(0.3, 1), (0.3, 2)]
        assert len(trials) == 8


def test_an_enqueued_trial_that_comes_too_late_takes_no_point() -> None:
    before, after = (
        Drafting(_spec(FINITE, sampler={"name": "Grid"}, enqueue=enqueued))
        for enqueued in ([], [{"p": 3, "q": 1}, {"p": 2, "q": 2}])
    )
    before.ask(1)
    after.trials = before.trials
    after.restart()
    assert sorted(_points(after.ask(99))) == [*itertools.product((1, 2, 3), (1, 2))][1:]
