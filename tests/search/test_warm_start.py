"""A study may know results of others before its first trial: what of them fits, and that they are no trials of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial

from tests.search.studies import KEY, METRIC, outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.api.deletion_policy import DeletionPolicy
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import InvalidStudy, StorageDamaged
from tuning_operator.search import StudyRepositories, tables
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.study_rows import set_attrs

SPACE: tuple[Mapping[str, Any], ...] = (
    {"name": "x", "type": "Float", "low": 0, "high": 1},
    {"name": "y", "type": "Float", "low": 1e-3, "high": 1, "scale": "ReverseLog"},
    {"name": "units", "type": "Int", "low": 1, "high": 9},
    {"name": "kind", "type": "Categorical", "choices": ["a", "b", True, 1]},
    {"name": "depth", "type": "Int", "low": 1, "high": 4, "when": {"parameter": "kind", "in": ["b"]}},
    {"name": "epochs", "type": "Fixed", "value": 5},
)
SAMPLERS: list[dict[str, Any]] = [
    {"name": "TPE", "options": {"nStartupTrials": 5}},
    {"name": "GP", "options": {"nStartupTrials": 5}},
    {"name": "CMAES", "options": {"popsize": 5}},
    {"name": "CMAES", "options": {"useSeparableCma": True}},
    {"name": "NSGAII", "options": {"populationSize": 8}},
    {"name": "NSGAIII", "options": {"populationSize": 8}},
]
CSV = "x, y, units, kind, depth, accuracy\n" + "".join(
    f"{0.05 * n}, {0.1 + 0.04 * n}, {1 + n % 9}, {'b' if n % 2 else 'a'}, {1 + n % 4 if n % 2 else ''}, {0.04 * n}\n"
    for n in range(20)
)
OTHER = StudyKey(KEY.namespace, "other", "5f2b7c1e-0000-4000-8000-000000000002")


def _spec(*sources: Mapping[str, str], sampler: Mapping[str, Any] | None = None, space: Any = SPACE) -> StudySpec:
    return study_spec(space, {"sampler": sampler or SAMPLERS[0], "warmStart": [dict(source) for source in sources]})


async def _run(
    repositories: StudyRepositories, key: StudyKey, points: Sequence[Mapping[str, Any]], space: Any = SPACE
) -> StudyRepository:
    """Run a study whose trials have these parameters, and values that grow from 0 in tenths."""
    spec = study_spec(space, {"enqueue": [dict(point) for point in points]})
    study = await repositories.open(key, spec)
    await study.ask(len(points))
    await study.tell([outcome(number, number / 10) for number in range(len(points))])
    return study


async def _refusal(world: DatabaseWorld, *sources: Mapping[str, str]) -> str:
    world.spec = _spec(*sources)
    with pytest.raises(InvalidStudy) as refused:
        await world.open()
    (problem,) = refused.value.problems
    return problem


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
async def test_a_single_result_is_enough(sqlite_world: DatabaseWorld, sampler: dict[str, Any]) -> None:
    sqlite_world.spec = _spec({"csv": "\n".join(CSV.splitlines()[:2])}, sampler=sampler)
    study = await sqlite_world.open()
    for number in range(8):
        await study.ask(1)
        await study.tell([outcome(number, 0.1 * number)])
    assert study.history().complete == 8


async def test_trials_of_another_study_are_known_and_are_no_trials_of_this_one(world: DatabaseWorld) -> None:
    points = [{"x": 0.1 * n, "y": 0.5, "units": 3, "kind": True} for n in range(1, 8)]
    await _run(world.repositories, OTHER, points)
    world.spec = _spec({"study": "other"})
    study = await world.open()
    assert study.history().warm_start == "7 of 7 complete trials of the study other are used"
    assert (study.history().total, study.history().best) == (0, None)
    warm = study._warm.trials
    assert [trial.values for trial in warm] == [[n / 10] for n in range(7)]
    assert [study._space.typed(trial.params)["kind"] for trial in warm] == [True] * 7
    assert [trial.number for _ in range(2) for trial in await study.ask(1)] == [0, 1]
    assert [trial.number for trial in (await world.reopen()).history().open] == [0, 1]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
async def test_a_sampler_learns_from_them_and_a_restart_changes_no_suggestion(
    sqlite_world: DatabaseWorld, sampler: dict[str, Any]
) -> None:
    suggested = []
    for sources in ([{"csv": CSV}], []):
        sqlite_world.spec = _spec(*sources, sampler=sampler)
        key = StudyKey("default", "digits", f"uid-{len(sources)}")
        study = await sqlite_world.repositories.open(key, sqlite_world.spec)
        asked = []
        for number in range(4):
            (trial,) = await study.ask(1)
            asked.append(dict(trial.parameters))
            await study.tell([outcome(number, 0.5)])
            await sqlite_world.restart()
            study = await sqlite_world.repositories.open(key, sqlite_world.spec)
        suggested.append(asked)
        assert len(study.history().recent) == 4
    assert suggested[0] != suggested[1]
    uninterrupted = await sqlite_world.repositories.open(
        StudyKey("default", "digits", "uid-2"), _spec({"csv": CSV}, sampler=sampler)
    )
    again = []
    for number in range(4):
        (trial,) = await uninterrupted.ask(1)
        again.append(dict(trial.parameters))
        await uninterrupted.tell([outcome(number, 0.5)])
    assert again == suggested[0]


@pytest.mark.parametrize("variant", [{}, {"useSeparableCma": True}, {"withMargin": True}, {"lrAdapt": True}], ids=str)
async def test_cma_es_begins_where_the_best_results_are(sqlite_world: DatabaseWorld, variant: dict[str, bool]) -> None:
    space = tuple({"name": name, "type": "Float", "low": 0, "high": 1} for name in ("x", "y"))
    table = "x,y,accuracy\n" + "".join(f"{0.05 * n},{1 - 0.05 * n},{1 - abs(n - 17)}\n" for n in range(20))
    sampler = {"name": "CMAES", "options": variant}
    sqlite_world.spec = _spec({"csv": table}, sampler=sampler, space=space)
    study = await sqlite_world.open()
    trials = [trial for _ in range(16) for trial in await study.ask(1)]
    for name, best in (("x", 0.85), ("y", 0.15)):
        values = [float(trial.parameters[name]) for trial in trials]
        assert abs(mean(values) - best) < 0.1
        assert 0.03 < stdev(values) < 0.15


@pytest.mark.parametrize("separable", [False, True])
async def test_a_warm_start_of_a_cma_es_with_as_many_parameters_as_there_may_be(
    sqlite_world: DatabaseWorld, separable: bool
) -> None:
    space = tuple({"name": f"x{number}", "type": "Float", "low": 0, "high": 1} for number in range(200))
    names = ",".join(parameter["name"] for parameter in space)
    table = f"{names},accuracy\n" + "".join(f"{','.join(['0.9'] * 200)},{n}\n" for n in range(3))
    sampler = {"name": "CMAES", "options": {"popsize": 4, "useSeparableCma": separable}}
    sqlite_world.spec = _spec({"csv": table}, sampler=sampler, space=space)
    (trial,) = await (await sqlite_world.open()).ask(1)
    around = mean(float(value) for value in trial.parameters.values())
    assert abs(around - (0.9 if separable else 0.5)) < 0.1


@pytest.mark.parametrize("separable", [False, True])
async def test_a_cma_es_that_began_at_results_is_the_same_after_restarts(
    sqlite_world: DatabaseWorld, separable: bool
) -> None:
    sampler = {"name": "CMAES", "options": {"popsize": 4, "useSeparableCma": separable}}
    suggested = []
    for restarts in (False, True):
        key = StudyKey("default", "digits", f"uid-{restarts}")
        sqlite_world.spec = _spec({"csv": CSV}, sampler=sampler)
        study = await sqlite_world.repositories.open(key, sqlite_world.spec)
        asked = []
        for number in range(14):
            (trial,) = await study.ask(1)
            asked.append(dict(trial.parameters))
            await study.tell([outcome(number, float(trial.parameters["x"]))])
            if restarts:
                await sqlite_world.restart()
                study = await sqlite_world.repositories.open(key, sqlite_world.spec)
        suggested.append(asked)
    assert suggested[0] == suggested[1]


async def test_they_are_read_once_whatever_becomes_of_their_study(sqlite_world: DatabaseWorld) -> None:
    points = [{"x": 0.5, "y": 0.5, "units": 3, "kind": "a"}]
    await _run(sqlite_world.repositories, OTHER, points)
    sqlite_world.spec = _spec({"study": "other"})
    await (await sqlite_world.open()).ask(1)
    await sqlite_world.repositories.delete_history(OTHER)
    study = await sqlite_world.reopen()
    assert study.history().warm_start == "1 of 1 complete trials of the study other are used"
    assert len(study._warm.trials) == 1


async def test_before_the_first_trial_the_sources_may_change(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec({"csv": CSV})
    assert len((await sqlite_world.open())._warm.trials) == 20
    sqlite_world.spec = _spec()
    assert len((await sqlite_world.open())._warm.trials) == 0
    assert (await sqlite_world.reopen()).history().warm_start == ""


@pytest.mark.parametrize("high", [0.6, 0.65])
async def test_dust_of_a_notebooks_steps_keeps_no_result_out(sqlite_world: DatabaseWorld, high: float) -> None:
    """0.1 + 0.1 + … is 0.6000000000000001 there, beyond the highest value of the same range here."""
    space = ({"name": "x", "type": "Float", "low": 0, "high": high, "step": 0.1},)
    table = f"x,{METRIC}\n0.6000000000000001,1\n0.30000000000000004,2\n0.65,3\n"
    search = {"sampler": {"name": "TPE"}, "warmStart": [{"csv": table}], "enqueue": [{"x": 0.6000000000000001}]}
    sqlite_world.spec = study_spec(space, search)
    study = await sqlite_world.open()
    assert study.history().warm_start.startswith("2 of 3 complete trials of the CSV are used")
    assert [trial.params for trial in study._warm.trials] == [{"x": 0.6}, {"x": 0.3}]
    (trial,) = await study.ask(1)
    assert trial.parameters == {"x": 0.6}


async def test_what_does_not_fit_is_left_out_and_counted(sqlite_world: DatabaseWorld) -> None:
    space = (
        {"name": "x", "type": "Float", "low": 0, "high": 9},
        {"name": "units", "type": "Int", "low": 1, "high": 99},
        {"name": "y", "type": "Fixed", "value": 0.5},
        {"name": "kind", "type": "Categorical", "choices": ["a", "b", "c"]},
        {"name": "more", "type": "Int", "low": 1, "high": 1},
    )
    points: list[dict[str, Any]] = [
        {"x": 0.5, "units": 3, "kind": "a"},
        {"x": 5.0, "units": 3, "kind": "a"},
        {"x": 5.0, "units": 33, "kind": "a"},
        {"x": 0.5, "units": 3, "kind": "b"},
    ]
    other = await _run(sqlite_world.repositories, OTHER, points, space)
    await other.ask(2)
    await other.tell([outcome(4, None, EndState.FAILED), outcome(5, 0.5, EndState.PRUNED)])
    sqlite_world.spec = _spec({"study": "other"})
    study = await sqlite_world.open()
    assert study.history().warm_start == (
        "1 of 4 complete trials of the study other are used (left out: `x` lies outside of its values in 2, "
        "`depth` is missing in 1) (not a parameter here: `more`)"
    )
    assert [study._space.typed(trial.params) for trial in study._warm.trials] == [
        {"x": 0.5, "y": 0.5, "units": 3, "kind": "a", "epochs": 5}
    ]


async def test_the_newest_history_of_a_name_is_read(sqlite_world: DatabaseWorld) -> None:
    point = {"x": 0.5, "y": 0.5, "units": 3, "kind": "a"}
    for number in (1, 2):
        key = StudyKey(KEY.namespace, KEY.name, f"earlier-{number}")
        await _run(sqlite_world.repositories, key, [{**point, "x": 0.1 * number}])
        sqlite_world.clock.advance(60)
    sqlite_world.spec = _spec({"study": KEY.name})
    (trial,) = (await sqlite_world.open())._warm.trials
    assert trial.params["x"] == 0.2


@pytest.mark.parametrize("foreign", ["namespace", "operator", "going"])
async def test_what_is_not_this_namespaces_is_as_if_it_did_not_exist(sqlite_world: DatabaseWorld, foreign: str) -> None:
    point = {"x": 0.5, "y": 0.5, "units": 3, "kind": "a"}
    namespace = "secret" if foreign == "namespace" else KEY.namespace
    other = StudyKey(namespace, "other", "uid-1")
    sqlite_world.repositories.owner = "another" if foreign == "operator" else ""
    await _run(sqlite_world.repositories, other, [point])
    if foreign == "going":
        await sqlite_world.repositories.keep_policy(other, DeletionPolicy.DELETE)
    await sqlite_world.restart()
    for source in ({"study": "other"}, {"storageStudy": f"{namespace}/other/uid-1"}):
        (words,) = source.values()
        problem = await _refusal(sqlite_world, source)
        there_is_none = await _refusal(sqlite_world, {next(iter(source)): "nothing"})
        assert problem == there_is_none.replace("nothing", words)
        assert "is not in the storage, or not for this namespace" in problem


async def test_a_study_that_a_notebook_wrote_is_read_by_its_name(world: DatabaseWorld) -> None:
    await world.open()
    with world.database.through_optuna() as storage:
        notebook = optuna.create_study(storage=storage, study_name="my search/1", direction="maximize")
        with warnings.catch_warnings(action="ignore"):  # experimental
            notebook.set_metric_names([METRIC])
        distributions = {
            "x": FloatDistribution(0, 10),
            "y": FloatDistribution(0.001, 1),
            "units": IntDistribution(1, 100),
            "kind": CategoricalDistribution([None, "a", "b"]),
        }
        for x, units, kind in ((0.5, 3, "a"), (5.0, 3, "a"), (0.5, 33, "a"), (0.5, 3, None)):
            params = {"x": x, "y": 0.5, "units": units, "kind": kind}
            notebook.add_trial(create_trial(params=params, distributions=distributions, value=0.5))
        notebook.add_trial(create_trial(params={**params, "kind": "a"}, distributions=distributions, value=math.inf))
    world.spec = _spec({"storageStudy": "my search/1"})
    study = await world.open()
    assert study.history().warm_start.startswith(
        "1 of 5 complete trials of the storage's study my search/1 are used (left out: "
    )


async def test_values_without_names_must_have_the_same_directions(sqlite_world: DatabaseWorld) -> None:
    await sqlite_world.open()
    with sqlite_world.database.through_optuna() as storage:
        optuna.create_study(storage=storage, study_name="minimized", direction="minimize")
        with warnings.catch_warnings(action="ignore"):  # experimental
            optuna.create_study(storage=storage, study_name="named").set_metric_names(["loss"])
    unlike = await _refusal(sqlite_world, {"storageStudy": "minimized"})
    assert "has objectives to MINIMIZE, unlike this study" in unlike
    unknown = await _refusal(sqlite_world, {"storageStudy": "named"})
    assert "has no values of `accuracy` but of loss" in unknown


async def test_a_gaussian_process_gets_no_more_than_it_can_bear(sqlite_world: DatabaseWorld) -> None:
    header, *rows = CSV.splitlines()
    sqlite_world.spec = _spec({"csv": "\n".join([header, *rows * 30])}, sampler={"name": "GP"})
    study = await sqlite_world.open()
    assert len(study._warm.trials) == 500
    assert study.history().warm_start.endswith("only the newest 500 of them all, for more would make asking slow")


@pytest.mark.parametrize(
    "stored",
    [
        5,
        {"trials": []},
        {"trials": [5], "report": ""},
        {"trials": [[{"x": 7}, [0.5]]], "report": ""},
        {"trials": [[{}, [math.nan]]], "report": ""},
        {"trials": [[{}, [0.5, 0.5]]], "report": ""},
        {"trials": [[{"x": "text"}, [0.5]]], "report": ""},
        {"trials": [[{}, [0.5], [[0, 1]]]], "report": ""},
        {"trials": [[{}, [0.5], [[0, 7]]]], "report": "", "named": [{"name": "n", "type": "Int", "low": 1, "high": 2}]},
        {"trials": [], "report": "", "named": [{"name": "n", "type": "Categorical", "choices": [[1], 2]}]},
    ],
    ids=str,
)
async def test_what_somebody_else_wrote_there_is_this_studys_problem(sqlite_world: DatabaseWorld, stored: Any) -> None:
    sqlite_world.spec = _spec()
    study = await sqlite_world.open()
    await study.ask(1)
    with sqlite_world.database.transaction() as connection:
        set_attrs(connection, tables.study_system_attributes, study._record.study_id, {"tuning:warm_start": stored})
    with pytest.raises(StorageDamaged):
        await sqlite_world.reopen()
