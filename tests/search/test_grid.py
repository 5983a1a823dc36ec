"""The grid tries every point once, and then the study ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.search.drafting import Drafting
from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld, FaultyStatements
from tuning_operator.api.parameters import Parameter
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import StorageUnavailable
from tuning_operator.search.grid import Grid
from tuning_operator.search.shuffle import Shuffle
from tuning_operator.search.space import Space

SMALL = (
    {"name": "layers", "type": "Int", "low": 1, "high": 3, "step": 2},
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd", False]},
    {"name": "epochs", "type": "Fixed", "value": 5},
)
POINTS = [(layers, optimizer) for layers in (1, 3) for optimizer in ("adam", "sgd", False)]


def _values(parameter: Mapping[str, Any], points: int | None = None) -> list[Any]:
    grid = Grid(Space([Parameter.model_validate({"name": "x", **parameter})]), points)
    return [grid.point(index)["x"] for index in range(grid.size)]


@pytest.mark.parametrize(
    ("parameter", "points", "expected"),
    [
        ({"type": "Int", "low": 2, "high": 9, "step": 3}, None, [2, 5, 8]),
        ({"type": "Int", "low": 2, "high": 4}, 100, [2, 3, 4]),
        ({"type": "Int", "low": 1, "high": 100, "scale": "Log"}, 3, [1, 10, 100]),
        ({"type": "Int", "low": 1, "high": 3, "scale": "Log"}, 9, [1, 2, 3]),
        ({"type": "Float", "low": 0.1, "high": 0.8, "step": 0.2}, None, [0.1, 0.3, 0.5, 0.7]),
        ({"type": "Float", "low": 0, "high": 1}, 3, [0.0, 0.5, 1.0]),
        ({"type": "Float", "low": 1e-4, "high": 1, "scale": "Log"}, 3, [1e-4, pytest.approx(1e-2), 1.0]),
        ({"type": "Float", "low": 1e-4, "high": 1, "scale": "ReverseLog"}, 3, [1e-4, pytest.approx(0.9901), 1.0]),
        ({"type": "Int", "low": 1, "high": 100, "scale": "ReverseLog"}, 3, [1, 91, 100]),
        ({"type": "Float", "low": 2, "high": 2}, 5, [2.0]),
        ({"type": "Categorical", "choices": ["a", 1, False]}, None, ["a", 1, False]),
    ],
)
def test_a_parameter_has_its_values(parameter: Mapping[str, Any], points: int | None, expected: list[Any]) -> None:
    assert _values(parameter, points) == expected


async def test_every_point_is_tried_once_and_then_the_space_is_exhausted(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = study_spec(SMALL, {"sampler": {"name": "Grid"}})
    study = await sqlite_world.open()
    trials = [*await study.ask(2), *await study.ask(2)]
    assert not study.history().exhausted
    study = await sqlite_world.reopen()
    assert not study.history().exhausted
    trials += await study.ask(99)
    assert study.history().exhausted
    assert list(await study.ask(1)) == []
    assert [(trial.parameters["layers"], trial.parameters["optimizer"]) for trial in trials] == POINTS
    await study.tell([outcome(number, 0.5, EndState.FAILED) for number in range(6)])
    assert (await sqlite_world.reopen()).history().exhausted


async def test_enqueued_trials_come_first_and_the_grid_goes_on_with_what_they_left(sqlite_world: DatabaseWorld) -> None:
    enqueued = {"layers": 3, "optimizer": "sgd"}
    sqlite_world.spec = study_spec(SMALL, {"sampler": {"name": "Grid"}, "enqueue": [enqueued, enqueued]})
    study = await sqlite_world.open()
    trials = await study.ask(99)
    assert [trial.parameters for trial in trials[:2]] == [{**enqueued, "epochs": 5}] * 2
    points = [(trial.parameters["layers"], trial.parameters["optimizer"]) for trial in trials[2:]]
    assert points == [point for point in POINTS if point != (3, "sgd")]
    assert study.history().exhausted


@pytest.mark.parametrize("sampler", ["BruteForce", "Grid"])
def test_a_continuous_range_of_one_value_is_one_point(sampler: str) -> None:
    parameter = {"name": "x", "type": "Float", "low": 0.5, "high": 0.5}
    assert Drafting(study_spec((parameter,), {"sampler": {"name": sampler}})).ask(9) == [{"x": 0.5}]


async def test_an_enqueued_trial_beside_the_grid_takes_no_point_of_it(sqlite_world: DatabaseWorld) -> None:
    rate = {"name": "rate", "type": "Float", "low": 0, "high": 1}
    search = {"sampler": {"name": "Grid", "options": {"points": 3}}, "enqueue": [{"rate": 0.3}]}
    sqlite_world.spec = study_spec((rate,), search)
    study = await sqlite_world.open()
    assert [trial.parameters["rate"] for trial in await study.ask(99)] == [0.3, 0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("range_", "points", "enqueued"),
    [
        ({"low": 1e-4, "high": 0.1, "scale": "Log"}, 4, [0.001, 0.01]),
        ({"low": 1e-4, "high": 0.1, "scale": "Log"}, 4, [0.0010000000000000002]),
        ({"low": 0, "high": 0.7}, 8, [0.3, 0.4, 0.6]),
        ({"low": -0.3, "high": 0.3}, 7, [0, 0.1, -0.2]),
        ({"low": 0.001, "high": 1, "scale": "ReverseLog"}, 4, [0.991, 0.901]),
    ],
    ids=str,
)
def test_a_value_of_points_that_was_enqueued_is_not_tried_again_with_other_last_digits(
    range_: Mapping[str, Any], points: int, enqueued: list[float]
) -> None:
    search = {"sampler": {"name": "Grid", "options": {"points": points}}, "enqueue": [{"x": x} for x in enqueued]}
    trials = Drafting(study_spec(({"name": "x", "type": "Float", **range_},), search)).ask(99)
    assert len(trials) == points
    assert all(len(repr(trial["x"])) < 8 for trial in trials[len(enqueued) :])


@pytest.mark.parametrize("sampler", [{"name": "BruteForce"}, {"name": "Random", "options": {"unique": True}}], ids=str)
async def test_other_samplers_try_every_point_once_too_in_a_random_order(
    sqlite_world: DatabaseWorld, sampler: dict[str, Any]
) -> None:
    search = {"sampler": sampler, "enqueue": [{"layers": 3, "optimizer": "sgd"}, {}]}
    sqlite_world.spec = study_spec(SMALL, search)
    study = await sqlite_world.open()
    trials = [*await study.ask(2)]
    while asked := await study.ask(1):
        trials += asked
        await study.tell([outcome(asked[0].number, 0.5, EndState.FAILED)])
        study = await sqlite_world.reopen()
    assert study.history().exhausted
    points = [(trial.parameters["layers"], trial.parameters["optimizer"]) for trial in trials]
    assert points[0] == (3, "sgd")
    assert sorted(points, key=str) == sorted(POINTS, key=str)
    assert points[1:] != [point for point in POINTS if point != points[0]]


@pytest.mark.parametrize(
    "sampler",
    [{"name": "Grid"}, {"name": "BruteForce"}, {"name": "Random", "options": {"unique": True}}],
    ids=lambda sampler: str(sampler["name"]),
)
@pytest.mark.parametrize("seed", range(5))
def test_what_an_enqueued_trial_leaves_out_makes_it_a_point_that_was_not_tried(
    sampler: dict[str, Any], seed: int
) -> None:
    enqueued = [{"layers": 3}, {"layers": 3}, {"optimizer": "adam"}, {}]
    trials = Drafting(study_spec(SMALL, {"sampler": sampler, "enqueue": enqueued, "seed": seed})).ask(99)
    assert all(given.items() <= trial.items() for given, trial in zip(enqueued, trials, strict=False))
    points = [(trial["layers"], trial["optimizer"]) for trial in trials]
    assert sorted(points, key=str) == sorted(POINTS, key=str)


def test_a_huge_space_is_tried_in_a_random_order_without_repeating_a_point() -> None:
    parameters = tuple({"name": f"x{i}", "type": "Int", "low": 1, "high": 10**6} for i in range(200))
    drafting = Drafting(study_spec(parameters, {"sampler": {"name": "BruteForce"}}))
    trials = drafting.ask(5)
    assert len({tuple(trial.values()) for trial in trials}) == 5
    assert len(set(trials[0].values())) > 190


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100, 1000])
def test_a_shuffle_has_every_number_once_in_an_order_that_follows_from_the_seed(size: int) -> None:
    orders = [[Shuffle(size, seed)(place) for place in range(size)] for seed in (1, 2)]
    assert [sorted(order) for order in orders] == [list(range(size))] * 2
    assert size < 7 or orders[0] != orders[1]


async def test_trials_of_an_ask_that_failed_are_not_left_out(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = study_spec(SMALL, {"sampler": {"name": "Grid"}})
    study = await sqlite_world.open()
    await study.ask(1)
    with FaultyStatements(sqlite_world.database, 1), pytest.raises(StorageUnavailable):
        await study.ask(3)
    trials = await study.ask(99)
    assert [(trial.parameters["layers"], trial.parameters["optimizer"]) for trial in trials] == POINTS[1:]


FINE = [
    ({"low": 0, "high": 1, "step": 1e-9}, 20),
    ({"low": 100000, "high": 100000.001, "step": 0.0001}, 11),
    ({"low": 1e6, "high": 1000000.00005, "step": 0.00001}, 6),
    ({"low": -100000, "high": 0.0001, "step": 0.0001}, 20),
]
"""Ranges whose numbers have few digits left for the step, and how many of their points are asked for."""


@pytest.mark.parametrize("sampler", [{"name": "Grid"}, {"name": "BruteForce"}, {"name": "Random"}], ids=str)
@pytest.mark.parametrize(("range_", "count"), FINE, ids=str)
def test_no_point_of_a_very_fine_range_is_tried_twice(
    sampler: dict[str, Any], range_: Mapping[str, Any], count: int
) -> None:
    options = {"unique": True} if sampler["name"] == "Random" else {}
    drafting = Drafting(
        study_spec(({"name": "x", "type": "Float", **range_},), {"sampler": sampler | {"options": options}})
    )
    size = drafting.asking.size()
    assert size is not None
    values = [trial["x"] for ask in (count - 5, 99) for trial in drafting.ask(min(ask, count))][:count]
    assert len(set(values)) == min(count, size)
    assert drafting.asking.size() == size


@pytest.mark.parametrize(("range_", "count"), FINE, ids=str)
def test_every_value_of_a_very_fine_range_may_be_enqueued(range_: Mapping[str, Any], count: int) -> None:
    parameter = Parameter.model_validate({"name": "x", "type": "Float", **range_})
    grid = Grid(Space([parameter]))
    for index in range(0, grid.size, max(1, grid.size // 50)):
        point = grid.point(index)
        assert parameter.contains(point["x"])
        assert grid.index(point) == index
