"""A trial has the conditional parameters whose conditions hold in it, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.search.drafting import Drafting
from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.parameters import Parameter
from tuning_operator.errors import InvalidStudy
from tuning_operator.search.grid import Grid
from tuning_operator.search.space import Space

PARAMETERS: tuple[Mapping[str, Any], ...] = (
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd", "rmsprop"]},
    {"name": "momentum", "type": "Float", "low": 0, "high": 0.9, "when": {"parameter": "optimizer", "in": ["sgd"]}},
    {
        "name": "nesterov",
        "type": "Categorical",
        "choices": [False, True, 1],
        "when": {"parameter": "optimizer", "in": ["sgd", "rmsprop"], "otherwise": False},
    },
    {"name": "warmup", "type": "Int", "low": 1, "high": 3, "when": {"parameter": "nesterov", "in": [True]}},
    {"name": "epochs", "type": "Fixed", "value": 5, "when": {"parameter": "warmup", "in": [2, 3]}},
    {"name": "rate", "type": "Float", "low": 1e-5, "high": 1, "scale": "Log"},
)
SAMPLERS: list[dict[str, Any]] = [
    {"name": "Random"},
    {"name": "TPE", "options": {"nStartupTrials": 3}},
    {"name": "TPE", "options": {"nStartupTrials": 3, "group": True, "constantLiar": False}},
    {"name": "TPE", "options": {"nStartupTrials": 3, "multivariate": False}},
    {"name": "Grid", "options": {"points": 2}},
    {"name": "QMC"},
    {"name": "CMAES", "options": {"nStartupTrials": 3}},
    {"name": "NSGAII", "options": {"populationSize": 6}},
    {"name": "GP", "options": {"nStartupTrials": 3}},
]


def _expected(trial: Mapping[str, Any]) -> set[str]:
    names = {"optimizer", "rate"}
    if trial["optimizer"] == "sgd":
        names.add("momentum")
    if trial["optimizer"] in ("sgd", "rmsprop"):
        names.add("nesterov")
        if trial["nesterov"] is True:
            names.add("warmup")
            if trial["warmup"] in (2, 3):
                names.add("epochs")
    return names


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_trial_has_the_parameters_whose_conditions_hold(sampler: dict[str, Any]) -> None:
    drafting = Drafting(study_spec(PARAMETERS, {"sampler": sampler}))
    trials: list[Mapping[str, Any]] = []
    for round_ in range(8):
        trials += drafting.ask(3)
        drafting.tell([0.1 * round_, 0.5, 0.9])
    for trial, stored in zip(trials, drafting.trials, strict=True):
        assert set(trial) == _expected(trial), trial
        assert set(stored.params) == set(stored.distributions) == _expected(trial) - {"epochs"}
    assert len({frozenset(trial) for trial in trials}) >= 4, "these parameters make trials of several shapes"


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
async def test_a_restart_changes_no_suggestion(sqlite_world: DatabaseWorld, sampler: dict[str, Any]) -> None:
    sqlite_world.spec = study_spec(PARAMETERS, {"sampler": sampler})
    in_memory, study = Drafting(sqlite_world.spec), await sqlite_world.open()
    for number in range(8):
        (trial,), (drafted,) = await study.ask(1), in_memory.ask(1)
        study = await sqlite_world.reopen()
        assert study.history().open[0].parameters == trial.parameters == drafted
        await study.tell([outcome(number, 0.1 * number)])
        in_memory.tell([0.1 * number])


def test_a_restart_changes_no_group_when_trials_end_in_another_order() -> None:
    kind = {"name": "kind", "type": "Categorical", "choices": ["a", "b"]}
    of_kinds = tuple(
        {"name": name, "type": "Float", "low": 0, "high": 1, "when": {"parameter": "kind", "in": [name[0]]}}
        for name in ("a1", "a2", "b1", "b2")
    )
    sampler = {"name": "TPE", "options": {"group": True, "nStartupTrials": 2}}
    suggested = []
    for restarts in (False, True):
        search = {"sampler": sampler, "enqueue": [{"kind": "a"}, {"kind": "b"}]}
        drafting = Drafting(study_spec((kind, *of_kinds), search))
        drafting.ask(6)
        for number in (1, 3, 0, 2, 5, 4):
            drafting.tell_trial(number, 0.1 * number)
            if restarts:
                drafting.restart()
            drafting.ask(1)
        suggested.append([trial.params for trial in drafting.trials])
    assert suggested[0] == suggested[1]


def test_cma_es_goes_on_with_what_every_trial_has_when_a_conditional_parameter_is_missing_for_once() -> None:
    layers = {"name": "layers", "type": "Int", "low": 1, "high": 10}
    dropout = {"name": "dropout", "type": "Float", "low": 0, "high": 1, "when": {"parameter": "layers", "in": [2, 3]}}
    width = {"name": "width", "type": "Float", "low": 0, "high": 1}
    search = {"sampler": {"name": "CMAES"}, "enqueue": [{"layers": 2}, {"layers": 3}, {"layers": 2}]}
    drafting = Drafting(study_spec((layers, width, dropout), search))
    for _ in range(40):
        (trial,) = drafting.ask(1)
        drafting.tell([-abs(float(trial["width"]) - 0.3) - abs(float(trial["layers"]) - 8)])
    generations = [trial.system_attrs.get("cma:generation") for trial in drafting.trials]
    assert None not in generations[1:]
    assert generations[-1] >= 4


@pytest.mark.parametrize("changes", [{"when": {"parameter": "kind", "in": ["a"]}}, {"high": 0}], ids=str)
def test_cma_es_needs_a_number_that_every_trial_has_and_that_varies(changes: Mapping[str, Any]) -> None:
    kind = {"name": "kind", "type": "Categorical", "choices": ["a", "b"]}
    x = {"name": "x", "type": "Float", "low": 0, "high": 1, **changes}
    with pytest.raises(ValueError, match="CMAES searches only Float and Int parameters that every trial has"):
        study_spec((kind, x), {"sampler": {"name": "CMAES"}})


def test_the_grid_has_each_combination_of_what_trials_have_once() -> None:
    parameters = [Parameter.model_validate(parameter) for parameter in PARAMETERS]
    space = Space(parameters)
    grid = Grid(space, points=2)
    points = [space.typed(grid.point(index)) for index in range(grid.size)]
    assert [grid.index(grid.point(index)) for index in range(grid.size)] == list(range(grid.size))
    # adam; sgd with 2 momenta and, as rmsprop, nesterov false, 1, or true with 3 warmups; all with 2 rates
    assert len(points) == (1 + 2 * 5 + 5) * 2
    assert len({repr(sorted(point.items())) for point in points}) == len(points)
    for point in points:
        assert set(point) == _expected(point)


def test_a_grid_looks_at_each_parameter_a_few_times_only() -> None:
    looks = 0

    class Counted(Space):
        def stored(self, given: Mapping[str, Any]) -> dict[str, Any]:
            nonlocal looks
            looks += len(self.parameters)
            return super().stored(given)

    choices = list(range(50))
    parameters = [Parameter.model_validate({"name": "c0", "type": "Categorical", "choices": choices})]
    for number in range(1, 20):
        when = {"parameter": f"c{number - 1}", "in": choices}
        parameter = {"name": f"c{number}", "type": "Categorical", "choices": choices, "when": when}
        parameters.append(Parameter.model_validate(parameter))
    assert Grid(Counted(parameters)).size == 50**20
    assert looks < 1000


def test_a_grid_may_pass_over_the_value_that_another_parameter_waits_for() -> None:
    spec = study_spec(
        (
            {"name": "units", "type": "Int", "low": 1, "high": 100, "scale": "Log"},
            {"name": "depth", "type": "Int", "low": 1, "high": 2, "when": {"parameter": "units", "in": [7, 10]}},
        ),
        {"sampler": {"name": "Grid", "options": {"points": 3}}},
    )
    trials = Drafting(spec).ask(99)
    assert trials == [{"units": 1}, {"units": 10, "depth": 1}, {"units": 10, "depth": 2}, {"units": 100}]


@pytest.mark.parametrize("child", [{"type": "Float", "low": 0, "high": 1}, {"type": "Fixed", "value": 1}], ids=str)
def test_a_grid_that_passes_over_all_values_that_a_parameter_waits_for_is_refused(child: Mapping[str, Any]) -> None:
    units = {"name": "units", "type": "Int", "low": 1, "high": 9, "scale": "Log"}
    waiting = {"name": "waiting", "when": {"parameter": "units", "in": [2]}, **child}
    search = {"sampler": {"name": "Grid", "options": {"points": 3}}}
    with pytest.raises(InvalidStudy, match="Grid never tries `waiting`, for none of the few values of `units`"):
        Drafting(study_spec((units, waiting), search))


def test_an_enqueued_trial_keeps_what_it_gives_and_gets_the_rest() -> None:
    enqueued = [{"optimizer": "sgd", "nesterov": True, "warmup": 3}, {"optimizer": "adam"}, {"rate": 0.5}]
    first, second, third = Drafting(study_spec(PARAMETERS, {"enqueue": enqueued})).ask(3)
    assert first.items() >= {"optimizer": "sgd", "nesterov": True, "warmup": 3, "epochs": 5}.items()
    assert set(first) == {*_expected(first)}
    assert set(second) == {"optimizer", "rate"}
    assert third["rate"] == 0.5
    assert set(third) == _expected(third)


def test_an_int_on_a_reverse_scale_may_be_depended_on() -> None:
    parameters = (
        {"name": "units", "type": "Int", "low": 1, "high": 3, "scale": "ReverseLog"},
        {"name": "depth", "type": "Int", "low": 1, "high": 2, "when": {"parameter": "units", "in": [1]}},
    )
    trials = Drafting(study_spec(parameters)).ask(40)
    assert {trial["units"] for trial in trials if "depth" in trial} == {1}
    assert any(trial["units"] == 3 for trial in trials)
    assert all("depth" in trial for trial in trials if trial["units"] == 1)
