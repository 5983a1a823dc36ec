"""Studies that are defined by run: sampler and storage together."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from statistics import median
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tests.search.naming_suite import KIND, RATE, STEPPED, UNITS, by_run, named
from tests.search.studies import KEY, outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.errors import InvalidStudy, ParameterRefused, StorageUnavailable
from tuning_operator.ports import TrialRepository

SAMPLERS: list[dict[str, Any]] = [
    {"name": "Random"},
    {"name": "TPE", "options": {"nStartupTrials": 3}},
    {"name": "TPE", "options": {"nStartupTrials": 3, "group": True, "constantLiar": True}},
    {"name": "TPE", "options": {"nStartupTrials": 3, "multivariate": False}},
    {"name": "NSGAII", "options": {"populationSize": 3}},
    {"name": "NSGAIII", "options": {"populationSize": 3}},
]


async def name_all(study: TrialRepository, number: int) -> float:
    """Name parameters as an objective does, one of them only where another has a certain value; return the score."""
    rate = await study.choose_parameter(number, 1, named(RATE))
    kind = await study.choose_parameter(number, 1, named(KIND))
    units = await study.choose_parameter(number, 1, named(UNITS)) if kind == "a" else 0
    assert isinstance(rate, float)
    assert isinstance(units, int)
    return -abs(rate - 0.01) - units / 64


async def run_trials(world: DatabaseWorld, count: int, restart_before: set[tuple[int, str]]) -> list[dict[str, Any]]:
    """Run trials by two at a time, with restarts before asks ("ask"), names and tells; return their parameters."""
    study: TrialRepository = await world.open()
    for first in range(0, count, 2):
        if (first, "ask") in restart_before:
            study = await world.reopen()
        asked = len(await study.ask(2))
        while asked < 2:  # a slow sampler gives some at a time
            asked += len(await study.ask(2 - asked))
        for number in (first + 1, first):
            if (number, "name") in restart_before:
                study = await world.reopen()
            value = await name_all(study, number)
            if (number, "tell") in restart_before:
                study = await world.reopen()
            await study.tell([outcome(number, value)])
    return [dict(trial.parameters) for trial in study.trials(-1, count)]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
async def test_restarts_change_no_value(tmp_path: Any, sampler: dict[str, Any]) -> None:
    found = []
    for name, restarts in (
        ("undisturbed", set[tuple[int, str]]()),
        ("restarted", {(number, step) for number in range(12) for step in ("ask", "name", "tell")}),
    ):
        world = DatabaseWorld(f"sqlite:///{tmp_path}/{name}.db", by_run({"sampler": sampler}))
        found.append(await run_trials(world, 12, restarts))
        await world.repositories.aclose()
    assert found[0] == found[1]
    assert len({str(parameters) for parameters in found[0]}) > 6, "trials differ"


async def test_a_sampler_in_a_process_of_its_own_chooses_the_same_after_a_restart(tmp_path: Any) -> None:
    found = []
    for name, restarts in (("undisturbed", set[tuple[int, str]]()), ("restarted", {(3, "name")})):
        spec = by_run({"sampler": {"name": "GP", "options": {"nStartupTrials": 2}}})
        world = DatabaseWorld(f"sqlite:///{tmp_path}/{name}.db", spec)
        found.append(await run_trials(world, 4, restarts))
        await world.repositories.aclose()
    assert found[0] == found[1]


async def test_a_search_that_is_defined_by_run_finds_what_one_that_is_not_finds(database_url: str) -> None:
    world = DatabaseWorld(database_url, by_run({"sampler": {"name": "TPE"}}))
    await run_trials(world, 60, set())
    study = await world.open()
    values = [trial.value for trial in study.trials(-1, 60) if getattr(trial, "value", None) is not None]
    await world.repositories.aclose()
    assert max(values[40:]) > -0.001
    assert median(values[40:]) > median(values[:10])


async def test_optuna_s_own_tools_see_what_was_named(tmp_path: Any) -> None:
    world = DatabaseWorld(f"sqlite:///{tmp_path}/tuning.db", by_run())
    await run_trials(world, 2, set())
    shown = [dict(trial.parameters) for trial in (await world.open()).trials(-1, 2)]
    await world.repositories.aclose()
    (name,) = optuna.get_all_study_names(f"sqlite:///{tmp_path}/tuning.db")
    loaded = optuna.load_study(study_name=name, storage=f"sqlite:///{tmp_path}/tuning.db")
    assert [trial.params["rate"] for trial in loaded.trials] == [parameters["rate"] for parameters in shown]
    assert isinstance(loaded.trials[0].distributions["rate"], optuna.distributions.FloatDistribution)


async def test_an_enqueued_trial_gets_its_values_when_its_code_names_them(database_url: str) -> None:
    world = DatabaseWorld(database_url, by_run({"enqueue": [{"rate": 0.05, "units": 32, "never": 1}, {"rate": 7.0}]}))
    study = await world.open()
    await study.ask(2)
    study = await world.reopen()
    assert await study.choose_parameter(0, 1, named(RATE)) == 0.05
    assert await study.choose_parameter(0, 1, named(UNITS)) == 32
    beside = await study.choose_parameter(1, 1, named(RATE))
    assert isinstance(beside, float)
    assert beside <= 0.1, "7 is not in its range"
    await world.repositories.aclose()


async def test_names_that_are_enqueued_may_be_all_that_code_may_use(database_url: str) -> None:
    world = DatabaseWorld(database_url, by_run({"enqueue": [{"drop/out[0]": 0.3}]}))
    study = await world.open()
    await study.ask(1)
    assert await study.choose_parameter(0, 1, named(STEPPED)) == 0.3
    await world.repositories.aclose()


async def test_constraints_take_from_an_enqueued_trial_nothing_that_only_its_code_names(database_url: str) -> None:
    """The first point that is drawn for what the trial leaves out does not meet them."""
    declared = [{"name": name, "type": "Int", "low": 1, "high": 100} for name in ("a", "b")]
    enqueue = [{"rate": 0.05, "a": number} for number in range(80, 90)]
    world = DatabaseWorld(
        database_url, by_run({"enqueue": enqueue}, parameters=declared, constraints=["a * b <= 500"], parallelism=10)
    )
    study = await world.open()
    while study.history().total < 10:
        await study.ask(1)
    for number, given in enumerate(enqueue):
        assert await study.choose_parameter(number, 1, named(RATE)) == 0.05
        shown = study.trials(number - 1, 1)[0].parameters
        assert shown["a"] == given["a"]
        assert int(shown["b"]) * int(shown["a"]) <= 500
    await world.repositories.aclose()


async def test_an_enqueued_choice_is_told_from_one_that_differs_in_json_alone(database_url: str) -> None:
    world = DatabaseWorld(database_url, by_run({"enqueue": [{"c": True}, {"c": 1}, {"c": "1"}]}))
    study = await world.open()
    await study.ask(3)
    choices = named({"name": "c", "type": "Categorical", "choices": [1, "1", True, 0]})
    values = [await study.choose_parameter(number, 1, choices) for number in range(3)]
    assert [(type(value), value) for value in values] == [(bool, True), (int, 1), (str, "1")]
    await world.repositories.aclose()


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (1, {"type": "Categorical", "choices": [True, False]}),
        (True, {"type": "Categorical", "choices": [1, 2]}),
        ("8", {"type": "Int", "low": 1, "high": 16}),
        (True, {"type": "Int", "low": 1, "high": 16}),
    ],
)
async def test_an_enqueued_value_of_another_type_is_left_out(
    given: Any, fields: dict[str, Any], database_url: str
) -> None:
    world = DatabaseWorld(database_url, by_run({"enqueue": [{"c": given}]}))
    study = await world.open()
    await study.ask(1)
    value = await study.choose_parameter(0, 1, named({"name": "c", **fields}))
    assert type(value) is not type(given)
    study = await world.reopen()
    again = await study.choose_parameter(0, 1, named({"name": "c", **fields}))
    assert (type(again), again) == (type(value), value)
    await world.repositories.aclose()


async def test_what_could_not_be_stored_is_not_the_trial_s(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = DatabaseWorld(database_url, by_run())
    study = await world.open()
    await study.ask(1)

    async def away(*_: object) -> None:
        raise StorageUnavailable("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(study._workers.writer, "run", away)
        with pytest.raises(StorageUnavailable):
            await study.choose_parameter(0, 1, named(RATE))
    assert study.history().open[0].parameters == {}
    value = await study.choose_parameter(0, 1, named(RATE))
    study = await world.reopen()
    assert await study.choose_parameter(0, 1, named(RATE)) == value
    await study.ask(1)
    assert [trial.number for trial in study.history().open] == [0, 1]
    await world.repositories.aclose()


NOTEBOOK = {
    "rate": FloatDistribution(1e-5, 1e-1, log=True),
    "kind": CategoricalDistribution(["a", True, 1, 0.5]),
    "units": IntDistribution(16, 64, step=16),
    "norm": CategoricalDistribution([None, "batch"]),
}


async def beside_a_notebook(url: str, **search: Any) -> DatabaseWorld:
    """Return a world in which somebody has searched what `name_all` names, with Optuna alone."""
    world = DatabaseWorld(url, by_run(search))
    await world.repositories.open(StudyKey("default", "any", "uid"), by_run())  # makes the tables
    with world.database.through_optuna() as storage:
        notebook = optuna.create_study(storage=storage, study_name="notebook", direction="maximize")
        for number in range(30):
            params: dict[str, Any] = {"rate": 1e-5 * 1.35**number, "kind": 0.5 if number % 3 else "a", "norm": None}
            params |= {} if number % 3 else {"units": 16}
            known = {name: NOTEBOOK[name] for name in params}
            value = -abs(params["rate"] - 0.01) - params.get("units", 0) / 64
            notebook.add_trial(optuna.trial.create_trial(params=params, distributions=known, value=value))
    return world


WARM = [{"storageStudy": "notebook"}]
LEARNING = [*SAMPLERS[1:], {"name": "GP", "options": {"nStartupTrials": 2}}]


@pytest.mark.parametrize("sampler", LEARNING, ids=str)
async def test_results_of_a_notebook_are_learned_from_and_restarts_change_no_value(
    tmp_path: Any, sampler: dict[str, Any]
) -> None:
    found = []
    every_step = {(number, step) for number in range(6) for step in ("ask", "name", "tell")}
    for name, sources, restarts in (
        ("undisturbed", WARM, set[tuple[int, str]]()),
        ("restarted", WARM, {(3, "name")} if sampler["name"] == "GP" else every_step),
        ("cold", [], set[tuple[int, str]]()),
    ):
        world = await beside_a_notebook(f"sqlite:///{tmp_path}/{name}.db", sampler=sampler, warmStart=sources)
        found.append(await run_trials(world, 6, restarts))
        await world.repositories.aclose()
    warm, restarted, cold = found
    assert warm == restarted
    assert warm != cold


async def test_a_good_result_of_a_notebook_is_near_what_is_tried_first(tmp_path: Any) -> None:
    world = await beside_a_notebook(f"sqlite:///{tmp_path}/tuning.db", sampler={"name": "TPE"}, warmStart=WARM)
    tried = await run_trials(world, 8, set())
    history = (await world.open()).history()
    await world.repositories.aclose()
    assert history.warm_start == "30 of 30 complete trials of the storage's study notebook are used"
    assert median(abs(parameters["rate"] - 0.01) for parameters in tried) < 0.01
    assert [parameters["kind"] for parameters in tried].count("a") < 4


async def test_code_that_means_something_else_by_a_name_than_the_notebook_is_told(tmp_path: Any) -> None:
    world = await beside_a_notebook(f"sqlite:///{tmp_path}/tuning.db", sampler={"name": "TPE"}, warmStart=WARM)
    study = await world.open()
    await study.ask(1)
    norm = named({"name": "norm", "type": "Categorical", "choices": ["None", "batch"]})
    assert await study.choose_parameter(0, 1, norm) in ("None", "batch"), "None, as the SDK sends it"
    other_range = named(UNITS, low=8, high=32, step=8)
    assert await study.choose_parameter(0, 1, other_range) in (8, 16, 24, 32)
    other_choices = named({"name": "kind", "type": "Categorical", "choices": ["a", "b"]})
    for _ in range(2):
        with pytest.raises(
            ParameterRefused, match=r"or a result of `search\.warmStart`; what is another parameter needs"
        ):
            await study.choose_parameter(0, 1, other_choices)
        study = await world.reopen()
    assert await study.choose_parameter(0, 1, named(KIND)) in KIND["choices"]
    await world.repositories.aclose()


STRANGE = {
    "infinite": FloatDistribution(0.0, float("inf")),
    "huge": IntDistribution(0, 10**400),
    "many": CategoricalDistribution([*map(str, range(2000))]),
    "no name!": FloatDistribution(0.0, 1.0),
    "nothing": CategoricalDistribution([float("nan")]),
}


@pytest.mark.filterwarnings("ignore:.*out of range:UserWarning")  # Optuna keeps it
async def test_what_code_can_not_ask_for_is_left_out_of_a_notebook_s_results(tmp_path: Any) -> None:
    world = await beside_a_notebook(f"sqlite:///{tmp_path}/tuning.db", sampler={"name": "TPE"}, warmStart=WARM)
    with world.database.through_optuna() as storage:
        notebook = optuna.load_study(storage=storage, study_name="notebook")
        odd = {"infinite": 1e308, "huge": 10**300, "many": "7", "no name!": 0.5, "nothing": math.nan, "rate": 0.5}
        notebook.enqueue_trial(odd)
        trial = notebook.ask()
        for name in odd:
            trial._suggest(name, {**NOTEBOOK, **STRANGE}[name])
        notebook.tell(trial, 1.0)
    study = await world.open()
    assert study.history().warm_start == (
        "30 of 31 complete trials of the storage's study notebook are used (left out: `rate` lies outside of its "
        "values in 1) (not a parameter here: `huge`, `infinite`, `many` …)"
    )
    assert len(await study.ask(3)) == 3
    await world.repositories.aclose()


@pytest.mark.parametrize("sampler", [{"name": "TPE", "options": {"group": True}}, {"name": "NSGAII"}], ids=str)
async def test_of_results_that_contradict_each_other_those_that_stand_last_count(
    tmp_path: Any, sampler: dict[str, Any]
) -> None:
    sources = [*WARM, {"storageStudy": "newer"}]
    world = await beside_a_notebook(f"sqlite:///{tmp_path}/tuning.db", sampler=sampler, warmStart=sources)
    with world.database.through_optuna() as storage:
        newer = optuna.create_study(storage=storage, study_name="newer", direction="maximize")
        kind = CategoricalDistribution(["a", "b", "c"])
        for number in range(12):
            params = {"kind": "abc"[number % 3], "rate": 0.01}
            known = {"kind": kind, "rate": FloatDistribution(1e-4, 1e-1, log=True)}
            newer.add_trial(optuna.trial.create_trial(params=params, distributions=known, value=0.1 * number))
    study = await world.open()
    assert study.history().warm_start.endswith("30 of them are not, for later ones have a parameter of another kind")
    assert len(study._warm.trials) == 12
    assert len(await study.ask(4)) == 4
    assert await study.choose_parameter(
        0, 1, named({"name": "kind", "type": "Categorical", "choices": ["a", "b", "c"]})
    )
    await world.repositories.aclose()


@pytest.mark.parametrize("choices", [[1.0, True], [0.0, False, 0.5], [1, True, "x"]], ids=str)
async def test_choices_that_differ_in_json_alone_are_learned_from(tmp_path: Any, choices: list[Any]) -> None:
    world = await beside_a_notebook(f"sqlite:///{tmp_path}/tuning.db", sampler={"name": "TPE"}, warmStart=WARM)
    parameter = {"name": "k", "type": "Categorical", "choices": choices}
    with world.database.through_optuna() as storage:
        notebook = optuna.load_study(storage=storage, study_name="notebook")
        kind = CategoricalDistribution(choices)
        notebook.add_trial(optuna.trial.create_trial(params={"k": choices[0]}, distributions={"k": kind}, value=0.5))
    study = await world.open()
    assert study.history().warm_start == "31 of 31 complete trials of the storage's study notebook are used"
    study = await world.reopen()
    await study.ask(1)
    assert await study.choose_parameter(0, 1, named(parameter)) in choices
    await world.repositories.aclose()


async def test_declared_choices_that_differ_in_json_alone_are_known_by_name(database_url: str) -> None:
    world = DatabaseWorld(database_url)
    parameter = {"name": "k", "type": "Categorical", "choices": [1, True, "x"]}
    source = StudyKey(KEY.namespace, "source", "5f2b7c1e-0000-4000-8000-000000000005")
    declared = await world.repositories.open(source, study_spec(parameters=(parameter,)))
    await declared.ask(3)
    await declared.tell([outcome(number, 0.5) for number in range(3)])
    world.spec = by_run({"sampler": {"name": "TPE"}, "warmStart": [{"study": "source"}]})
    study = await world.open()
    assert study.history().warm_start == "3 of 3 complete trials of the study source are used"
    await study.ask(1)
    assert await study.choose_parameter(0, 1, named(parameter)) in parameter["choices"]
    await world.repositories.aclose()


async def test_a_study_goes_on_with_what_another_ones_code_named(database_url: str) -> None:
    world = DatabaseWorld(database_url, by_run())
    await run_trials(world, 4, set())
    tried = [dict(trial.parameters) for trial in (await world.open()).trials(-1, 4)]
    key = StudyKey(KEY.namespace, "next", "5f2b7c1e-0000-4000-8000-000000000003")
    sources = [{"study": KEY.name}]
    undeclared = await world.repositories.open(key, by_run({"sampler": {"name": "TPE"}, "warmStart": sources}))
    assert [trial.params for trial in undeclared._warm.trials] == tried
    declared = await world.repositories.open(
        dataclasses.replace(key, uid="5f2b7c1e-0000-4000-8000-000000000004"),
        study_spec(parameters=(RATE,), search={"sampler": {"name": "TPE"}, "warmStart": sources}),
    )
    assert [trial.params for trial in declared._warm.trials] == [{"rate": each["rate"]} for each in tried]
    await world.repositories.aclose()


async def test_a_change_of_the_search_forgets_no_name_that_is_just_being_stored(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = DatabaseWorld(database_url, by_run(parallelism=2))
    study = await world.open()
    await study.ask(2)
    real, chosen, released = study._workers.writer.run, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        chosen.set()
        await released.wait()
        return await real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(study._workers.writer, "run", slow)
        naming = asyncio.create_task(study.choose_parameter(0, 1, named(RATE)))
        await chosen.wait()
        await study.apply(by_run(parallelism=3))
        released.set()
        await naming
    with pytest.raises(ParameterRefused, match="was a Float on a Log scale"):
        await study.choose_parameter(1, 1, named({"name": "rate", "type": "Categorical", "choices": ["low", "high"]}))
    await world.repositories.aclose()


async def test_a_history_that_was_not_defined_by_run_is_not_gone_on_with_so(database_url: str) -> None:
    world = DatabaseWorld(database_url, by_run())
    await (await world.open()).ask(1)
    await world.restart()
    with pytest.raises(InvalidStudy, match="`defineByRun` differs"):
        await world.repositories.open(KEY, study_spec(parameters=(RATE,)))
    await world.repositories.aclose()
