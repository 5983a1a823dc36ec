"""Trials meet the constraints, whatever the sampler, and a search without a feasible point comes to an end."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.search.drafting import Drafting
from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.constraints import Constraints
from tuning_operator.api.study import StudySpec
from tuning_operator.errors import InvalidStudy
from tuning_operator.search import feasible_points
from tuning_operator.search.feasible_points import FeasiblePoints, RandomPoints, feasible_share
from tuning_operator.search.space import Space

SPACE = (
    {"name": "x", "type": "Float", "low": 0, "high": 1},
    {"name": "y", "type": "Float", "low": 1e-3, "high": 1, "scale": "ReverseLog"},
    {"name": "units", "type": "Int", "low": 1, "high": 8},
    {"name": "kind", "type": "Categorical", "choices": ["a", "b"]},
    {"name": "depth", "type": "Int", "low": 1, "high": 4, "when": {"parameter": "kind", "in": ["b"]}},
)
CONSTRAINTS = ["x + y <= 0.9", "units % 2 == 0", "kind == 'a' || depth * units <= 12"]
GRID = (
    {"name": "a", "type": "Int", "low": 0, "high": 4},
    {"name": "b", "type": "Int", "low": 0, "high": 4},
)
FEASIBLE = {(a, b) for a, b in itertools.product(range(5), range(5)) if a + b == 4 or a > 3}
SAMPLERS: list[dict[str, Any]] = [
    {"name": "Random"},
    {"name": "QMC"},
    {"name": "QMC", "options": {"qmcType": "Halton", "scramble": False}},
    {"name": "TPE", "options": {"nStartupTrials": 3}},
    {"name": "GP", "options": {"nStartupTrials": 4}},
    {"name": "CMAES", "options": {"nStartupTrials": 2, "popsize": 4}},
    {"name": "NSGAII", "options": {"populationSize": 4}},
    {"name": "NSGAIII", "options": {"populationSize": 4}},
    {"name": "Grid", "options": {"points": 4}},
]
WALKS: list[dict[str, Any]] = [
    {"name": "Grid"},
    {"name": "BruteForce"},
    {"name": "Random", "options": {"unique": True}},
]


def _spec(sampler: dict[str, Any], space: Any = SPACE, constraints: Any = CONSTRAINTS, **search: Any) -> StudySpec:
    spec = study_spec(space, {"sampler": sampler, **search})
    return StudySpec.model_validate({**spec.to_document(), "constraints": constraints})


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
async def test_every_trial_meets_them_and_a_restart_changes_none(
    sqlite_world: DatabaseWorld, sampler: dict[str, Any]
) -> None:
    sqlite_world.spec = _spec(sampler)
    in_memory, study = Drafting(sqlite_world.spec), await sqlite_world.open()
    for number in range(8):
        (trial,), (drafted,) = await study.ask(1), in_memory.ask(1)
        study = await sqlite_world.reopen()
        point: Any = study.history().open[0].parameters
        assert point == trial.parameters == drafted
        assert point["x"] + point["y"] <= 0.9
        assert point["units"] % 2 == 0
        assert point["kind"] == "a" or point["depth"] * point["units"] <= 12
        await study.tell([outcome(number, 0.1 * number)])
        in_memory.tell([0.1 * number])
    assert study.history().infeasible == ""


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_it_does_not_matter_how_many_trials_are_asked_for_at_once(sampler: dict[str, Any]) -> None:
    one_by_one, at_once = Drafting(_spec(sampler)), Drafting(_spec(sampler))
    assert [one_by_one.ask(1)[0] for _ in range(6)] == at_once.ask(6)


def test_a_sequence_goes_on_behind_the_points_that_are_passed_by() -> None:
    space = ({"name": "x", "type": "Float", "low": 0, "high": 1},)
    sampler = {"name": "QMC", "options": {"scramble": False}}
    every = [trial["x"] for trial in Drafting(_spec(sampler, space, [])).ask(64)]
    feasible = [trial["x"] for trial in Drafting(_spec(sampler, space, ["x < 0.3"])).ask(12)]
    assert feasible == [x for x in every if float(x) < 0.3][:12]


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("sampler", WALKS, ids=str)
async def test_a_walk_ends_after_exactly_the_feasible_points(
    sqlite_world: DatabaseWorld, sampler: dict[str, Any], parallel: int
) -> None:
    sqlite_world.spec = _spec(sampler, GRID, ["a + b == 4 || a > 3"])
    study = await sqlite_world.open()
    tried = []
    while asked := await study.ask(parallel):
        tried += [(trial.parameters["a"], trial.parameters["b"]) for trial in asked]
        study = await sqlite_world.reopen()
    assert sorted(tried) == sorted(FEASIBLE)
    assert study.history().exhausted
    assert study.history().infeasible == ""


@pytest.mark.parametrize("otherwise", [{"otherwise": 4}, {}], ids=str)
@pytest.mark.parametrize("sampler", WALKS, ids=str)
def test_a_walk_passes_by_no_point_for_a_fixed_value_that_others_do_not_have(
    sampler: dict[str, Any], otherwise: dict[str, int]
) -> None:
    space = (
        {"name": "w", "type": "Int", "low": 1, "high": 3},
        {"name": "kind", "type": "Categorical", "choices": ["a", "b"]},
        {"name": "q", "type": "Fixed", "value": 3, "when": {"parameter": "kind", "in": ["a"], **otherwise}},
    )
    drafting = Drafting(_spec(sampler, space, ["q + w > 5"]))
    expected = {(3, "a"), (2, "b"), (3, "b")} if otherwise else {(3, "a"), (1, "b"), (2, "b"), (3, "b")}
    assert drafting.asking.size() == len(expected)
    assert {(trial["w"], trial["kind"]) for trial in drafting.ask(99)} == expected


def test_part_of_a_point_is_judged_without_the_fixed_values_that_it_does_not_have() -> None:
    """TPE chooses among its candidates by that."""
    kind = {"name": "kind", "type": "Categorical", "choices": ["a", "b"]}
    q = {"name": "q", "type": "Fixed", "value": 3, "when": {"parameter": "kind", "in": ["a"], "otherwise": 4}}
    spec = _spec({"name": "TPE"}, (kind, q, {"name": "w", "type": "Int", "low": 1, "high": 3}), ["q + w > 6"])
    constraints = Constraints(spec.constraints, spec.parameters)
    feasible = FeasiblePoints(Space(spec.parameters), constraints, spec.search.sampler.name)
    assert feasible.may_have({"kind": "b", "w": 3})
    assert feasible.may_have({"w": 3})
    assert not feasible.may_have({"kind": "a", "w": 3})


@pytest.mark.parametrize("sampler", WALKS, ids=str)
def test_a_walk_counts_its_feasible_points_before_the_first_trial(sampler: dict[str, Any]) -> None:
    drafting = Drafting(_spec(sampler, GRID, ["a + b == 4 || a > 3"], enqueue=[{"a": 4}, {"a": 2, "b": 2}, {}]))
    sizes = [drafting.asking.size()]
    while drafting.ask(1):
        sizes.append(drafting.asking.size())
    assert sizes == [len(FEASIBLE)] * (len(FEASIBLE) + 1)


def test_a_walk_with_too_many_points_to_be_counted_ends_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasible_points, "_MOST_COUNTED", len(GRID))
    drafting = Drafting(_spec({"name": "BruteForce"}, GRID, ["a + b == 4 || a > 3"]))
    assert drafting.asking.size() is None
    assert len(drafting.ask(99)) == drafting.asking.size() == len(FEASIBLE)


async def test_a_search_without_a_feasible_point_ends_and_says_what_is_violated(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec({"name": "TPE"}, GRID, ["a + b > 99", "a >= 0"])
    study = await sqlite_world.open()
    assert await study.ask(3) == []
    history = study.history()
    assert (history.exhausted, history.total) == (True, 0)
    assert history.infeasible == (
        "none of 10,020 points in a row meets `constraints`: all of them violate a + b > 99; relax it or widen the "
        "parameters"
    )
    study = await sqlite_world.reopen()
    assert await study.ask(1) == []
    assert study.history() == history


@pytest.mark.parametrize("sampler", WALKS, ids=str)
async def test_a_walk_without_a_feasible_point_says_what_is_violated(
    sqlite_world: DatabaseWorld, sampler: dict[str, Any]
) -> None:
    sqlite_world.spec = _spec(sampler, GRID, ["a + b > 99", "a >= 0"])
    for _ in range(2):
        study = await sqlite_world.reopen()
        assert await study.ask(1) == []
        assert (study.history().exhausted, study.history().total) == (True, 0)
        assert study.history().infeasible.endswith(
            "points in a row meets `constraints`: all of them violate a + b > 99; relax it or widen the parameters"
        )


async def test_a_study_that_has_not_started_gets_another_chance_when_it_is_corrected(
    sqlite_world: DatabaseWorld,
) -> None:
    sqlite_world.spec = _spec({"name": "Random"}, GRID, ["a > 99"])
    assert await (await sqlite_world.open()).ask(1) == []
    sqlite_world.spec = _spec({"name": "Random"}, GRID, ["a > 3"])
    study = await sqlite_world.open()
    assert not study.history().exhausted
    assert [trial.parameters["a"] for trial in await study.ask(2)] == [4, 4]


@pytest.mark.parametrize("sampler", [{"name": "Random"}, {"name": "TPE"}, {"name": "Grid"}], ids=str)
async def test_an_enqueued_trial_that_leaves_no_feasible_point_is_named_before_the_first_trial(
    sqlite_world: DatabaseWorld, sampler: dict[str, Any]
) -> None:
    enqueue = [{"a": 1}, {"a": 0}]
    sqlite_world.spec = _spec(sampler, GRID, ["a > 0 || b > 99"], enqueue=enqueue)
    study = await sqlite_world.open()
    assert await study.ask(3) == []
    history = study.history()
    assert (history.total, history.exhausted) == (0, True)
    assert history.infeasible == (
        "`search.enqueue[1]` can't meet `constraints`: none of 10,000 points with its values does, all of them violate "
        "a > 0 || b > 99; relax it or change that trial"
    )
    sqlite_world.spec = _spec(sampler, GRID, ["a > 0 || b > 99"], enqueue=enqueue[:1])
    study = await sqlite_world.reopen()
    assert [trial.parameters["a"] for trial in await study.ask(1)] == [1]


async def test_an_enqueued_trial_of_a_study_that_has_begun_is_named_too(
    sqlite_world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FeasiblePoints, "why_not_enqueued", lambda *_: None)  # as in a study of an earlier version
    sqlite_world.spec = _spec({"name": "Random"}, GRID, ["a > 0 || b > 99"], enqueue=[{"a": 1}, {"a": 0}])
    study = await sqlite_world.open()
    assert [trial.parameters["a"] for trial in await study.ask(3)] == [1]
    study = await sqlite_world.reopen()
    assert await study.ask(1) == []
    history = study.history()
    assert (history.total, history.exhausted) == (1, True)
    assert history.infeasible.startswith("`search.enqueue[1]` can't meet `constraints`: none of 10,001 points with")


def test_a_grid_that_is_almost_nowhere_feasible_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning_operator.search.walk.MOST_SKIPPED", 1_000)
    space = tuple({"name": name, "type": "Int", "low": 0, "high": 10**6} for name in ("a", "b", "c"))
    drafting = Drafting(_spec({"name": "Grid"}, space, ["a == 1000000"]))
    assert drafting.ask(2) == []
    assert drafting.asking.why_none().startswith("none of 1,000 points in a row")


@pytest.mark.parametrize(
    ("constraint", "first"),
    [("a > 90", {"a": 91, "b": 0, "c": 0}), ("a > 20 && b != 0", {"a": 21, "b": 1, "c": 0})],
)
def test_a_grid_finds_its_feasible_points_behind_many_that_one_value_forbids(
    constraint: str, first: dict[str, int]
) -> None:
    space = tuple({"name": name, "type": "Int", "low": 0, "high": 99} for name in ("a", "b", "c"))
    assert Drafting(_spec({"name": "Grid"}, space, [constraint])).ask(1) == [first]


@pytest.mark.parametrize("options", [{}, {"multivariate": False}], ids=str)
def test_tpe_stays_with_its_model_where_the_best_points_lie_at_the_edge_of_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(FeasiblePoints, "drawn", None)  # at random
    space = tuple({"name": name, "type": "Float", "low": 0, "high": 1} for name in ("x", "y"))
    drafting = Drafting(_spec({"name": "TPE", "options": {"nStartupTrials": 10, **options}}, space, ["x + y <= 1.0"]))
    for number in range(50):
        (point,) = drafting.ask(1)
        assert point["x"] + point["y"] <= 1.0
        drafting.tell_trial(number, float(point["x"] * point["y"]))


def test_the_rest_of_an_enqueued_trial_is_drawn_until_it_fits() -> None:
    drafting = Drafting(_spec({"name": "TPE"}, GRID, ["a + b == 4"], enqueue=[{"a": 3}, {"b": 4}]))
    assert drafting.ask(2) == [{"a": 3, "b": 1}, {"a": 0, "b": 4}]


async def test_other_constraints_than_those_of_the_history_are_refused(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec({"name": "Random"})
    await (await sqlite_world.open()).ask(1)
    sqlite_world.spec = _spec({"name": "Random"}, constraints=CONSTRAINTS[:2])
    with pytest.raises(InvalidStudy, match="`constraints` differs"):
        await sqlite_world.reopen()


def test_random_points_lie_in_the_space() -> None:
    more = (
        {"name": "stepped", "type": "Float", "low": 0.1, "high": 0.9, "step": 0.1},
        {"name": "rate", "type": "Float", "low": 1e-5, "high": 1e-1, "scale": "Log"},
        {"name": "width", "type": "Int", "low": 1, "high": 1000, "scale": "Log"},
        {"name": "backwards", "type": "Int", "low": 1, "high": 1000, "scale": "ReverseLog"},
    )
    spec = study_spec((*SPACE, *more))
    space = Space(spec.parameters)
    points = RandomPoints(space, seed=3)
    drawn = [space.typed(points.point({})) for _ in range(300)]
    for parameter in spec.parameters:
        values = [point[parameter.name] for point in drawn if parameter.name in point]
        assert all(parameter.contains(value) for value in values)
        assert len(set(values)) >= 2
    assert sum(float(point["width"]) < 32 for point in drawn) / 300 == pytest.approx(0.5, abs=0.1)
    assert sum(float(point["backwards"]) > 969 for point in drawn) / 300 == pytest.approx(0.5, abs=0.1)


def test_the_feasible_share_is_that_of_random_points() -> None:
    assert feasible_share(_spec({"name": "Random"}, GRID, ["a + b == 4 || a > 3"])) == pytest.approx(9 / 25, abs=0.05)
    assert feasible_points.SAMPLE == 2_000
