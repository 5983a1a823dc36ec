"""Studies of several objectives, and with constraints of metrics, in the database and in Optuna's own tools."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from tests.builders import new_attempt
from tests.search.studies import KEY, PARAMETERS, outcome
from tests.search.worlds import DatabaseWorld
from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.errors import InvalidStudy, StorageDamaged
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.study_record import study_name

OBJECTIVES = (
    {"metric": "accuracy", "direction": "Maximize"},
    {"metric": "size", "direction": "Minimize", "reduce": "Mean"},
)

UNITS = {"name": "units", "type": "Float", "low": 0, "high": 100}


def _spec(sampler: str = "Random", constraints: tuple[dict[str, Any], ...] = (), **fields: Any) -> StudySpec:
    return StudySpec.model_validate(
        {
            "objectives": [dict(objective) for objective in OBJECTIVES],
            "metricConstraints": list(constraints),
            "parameters": [dict(parameter) for parameter in PARAMETERS],
            "search": {"seed": 7, "sampler": {"name": sampler, **fields}},
            "maxTrials": 1000,
            "trial": {"template": {"spec": {"containers": [{"name": "trainer", "image": "trainer"}]}}},
        }
    )


async def _complete(repository: StudyRepository, number: int, *steps: dict[str, float]) -> None:
    """Let a trial report and be told as the engine would."""
    reports = tuple(Report(step, values) for step, values in enumerate(steps, 1))
    await repository.report(number, 1, ReportBatch(reports, TrialEnd(FinalState.COMPLETE)))
    trial = next(trial for trial in repository.history().open if trial.number == number)
    assert not await repository.tell([outcome(number, trial.value, after=trial.last_words)])


async def test_optunas_own_tools_see_a_study_of_several_objectives(world: DatabaseWorld) -> None:
    world.spec = _spec()
    repository = await world.open()
    await repository.ask(3)
    await _complete(repository, 0, {"accuracy": 0.5, "size": 10.0}, {"accuracy": 0.9, "size": 20.0})
    await _complete(repository, 1, {"accuracy": 0.1, "size": 30.0})
    with world.in_optuna() as study:
        assert study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
        assert study.metric_names == ["accuracy", "size"]
        assert [trial.values for trial in study.trials] == [[0.9, 15.0], [0.1, 30.0], None]
        assert [trial.number for trial in study.best_trials] == [0]
        assert [trial.intermediate_values for trial in study.trials] == [{}, {}, {}], (
            "Optuna has them of one objective only"
        )


async def test_a_restart_changes_neither_values_nor_front_nor_hypervolume(world: DatabaseWorld) -> None:
    world.spec = _spec()
    repository = await world.open()
    await repository.ask(15)
    for number in range(12):
        world.clock.advance(1)
        await _complete(repository, number, {"accuracy": 0.1 * (number % 5), "size": 10.0 * (number % 7)})
    await repository.report(12, 1, ReportBatch((Report(1, {"accuracy": 0.3}), Report(2, {"size": 4.0}))))
    before = repository.history()
    assert before.hypervolume.volume > 0
    again = (await world.reopen()).history()
    assert again == before
    assert (again.open[0].value, again.open[0].further) == (0.3, {"size": 4.0})


async def test_a_newer_attempt_replaces_the_steps_of_the_earlier_one_in_every_objective(world: DatabaseWorld) -> None:
    world.spec = _spec()
    repository = await world.open()
    await repository.ask(1)
    values = (Report(1, {"accuracy": 0.1, "size": 10.0}), Report(2, {"accuracy": 0.2}), Report(3, {"size": 40.0}))
    await repository.report(0, 1, ReportBatch(values))
    await repository.start_attempt(new_attempt(0, 2))
    await repository.report(0, 2, ReportBatch((Report(2, {"accuracy": 0.5, "size": 20.0}),)))
    for each in (repository, await world.reopen()):
        (trial,) = each.history().open
        assert (trial.value, trial.further) == (0.5, {"size": 15.0})


async def test_a_trial_is_told_to_stop_when_any_objective_is_not_finite(world: DatabaseWorld) -> None:
    world.spec = _spec(constraints=({"metric": "latency", "max": 20},))
    repository = await world.open()
    await repository.ask(1)
    fine = await repository.report(0, 1, ReportBatch((Report(1, {"accuracy": 0.5, "latency": float("nan")}),)))
    assert not fine.reply.stop, "that bound is broken, and the trial may still mend it"
    answer = await repository.report(0, 1, ReportBatch((Report(2, {"size": float("inf")}),)))
    assert (answer.reply.stop, answer.reply.reason, answer.wake) == (True, "NotFinite", True)


async def test_a_pruned_trial_has_all_values_or_none(world: DatabaseWorld) -> None:
    world.spec = _spec()
    repository = await world.open()
    await repository.ask(2)
    await repository.report(0, 1, ReportBatch((Report(1, {"accuracy": 0.5}),)))
    await repository.report(1, 1, ReportBatch((Report(1, {"accuracy": 0.5, "size": 3.0}),)))
    await repository.tell([outcome(number, 0.5, EndState.PRUNED) for number in (0, 1)])
    with world.in_optuna() as study:
        assert [trial.values for trial in study.trials] == [None, [0.5, 3.0]]
    assert (await world.reopen()).history().pruned == 2


async def test_optunas_own_tools_see_which_trials_keep_the_bounds(world: DatabaseWorld) -> None:
    world.spec = _spec(constraints=({"metric": "latency", "max": 20}, {"metric": "size", "min": 5}))
    repository = await world.open()
    await repository.ask(4)
    await _complete(repository, 0, {"accuracy": 0.9, "size": 7.0, "latency": 30.0}, {"accuracy": 0.9, "latency": 25.0})
    await _complete(repository, 1, {"accuracy": 0.5, "size": 7.0, "latency": 10.0})
    await _complete(repository, 2, {"accuracy": 0.7, "size": 7.0})
    await repository.tell([outcome(3, None, EndState.PRUNED)])
    with world.in_optuna() as theirs:
        for study in (theirs, optuna.load_study(study_name=study_name(KEY), storage=repository._storage)):
            assert [trial.constraints for trial in study.trials] == [
                {"latency max": 5.0, "size min": -2.0},
                {"latency max": -10.0, "size min": -2.0},
                {"latency max": 20.0, "size min": -2.0},
                {},
            ]
            assert [trial.number for trial in study.best_trials] == [1]
    for each in (repository, await world.reopen()):
        history = each.history()
        assert [member.trial.number for member in history.front.members] == [1]
        assert history.front.members[0].trial.further == {"size": 7.0, "latency": 10.0}


@pytest.mark.parametrize("sampler", ["Random", "QMC", "TPE", "GP", "NSGAII", "NSGAIII"])
async def test_samplers_search_by_several_objectives_and_constraints_the_same_after_a_restart(
    sqlite_world: DatabaseWorld, sampler: str
) -> None:
    options: dict[str, dict[str, int]] = {
        "TPE": {"nStartupTrials": 4},
        "GP": {"nStartupTrials": 4},
        "NSGAII": {"populationSize": 4},
        "NSGAIII": {"populationSize": 4},
    }
    if sampler == "GP":
        pytest.importorskip("torch", reason="GP needs PyTorch")
    spec = _spec(sampler, ({"metric": "latency", "max": 20},), options=options.get(sampler, {}))
    without = await _search(sqlite_world, KEY, spec, restarts=False)
    assert len({str(parameters) for parameters in without}) > 10
    assert await _search(sqlite_world, replace(KEY, uid="another"), spec, restarts=True) == without


async def test_gp_tells_bounds_apart_in_a_study_that_is_loaded_anew(sqlite_world: DatabaseWorld) -> None:
    pytest.importorskip("torch", reason="GP needs PyTorch")
    bounds = ({"metric": "size", "max": 30}, {"metric": "latency", "max": 5})
    document = {**_spec("GP", bounds, options={"nStartupTrials": 4}).to_document(), "parameters": [UNITS]}
    document["objectives"] = document["objectives"][:1]
    spec = StudySpec.model_validate(document)
    suggested = []
    for loaded_anew in (False, True):
        key = replace(KEY, uid=f"uid-{loaded_anew}")
        repository = await sqlite_world.repositories.open(key, spec)
        for number in range(5):
            if loaded_anew and number == 3:  # as after a restart, with the same search process: PyTorch takes seconds
                await sqlite_world.repositories.close(key.uid)
                repository = await sqlite_world.repositories.open(key, spec)
            (trial,) = await repository.ask(1)
            units = float(trial.parameters["units"])
            await _complete(repository, number, {"accuracy": units, "size": units, "latency": units / 20})
        suggested.append([trial.parameters for trial in repository.trials(-1, 9)])
    assert suggested[0] == suggested[1]


async def _search(world: DatabaseWorld, key: StudyKey, spec: StudySpec, restarts: bool) -> list[dict[str, Any]]:
    """Return the parameters of some generations of four parallel trials, with or without restarts between them."""
    repository = await world.repositories.open(key, spec)
    for _ in range(4):
        if restarts:
            await world.restart()
            repository = await world.repositories.open(key, spec)
        for trial in [asked for _ in range(4) for asked in await repository.ask(1)]:
            rate, units = float(trial.parameters["rate"]), float(trial.parameters["units"])
            latency = {} if trial.number == 5 else {"latency": 5.0 + trial.number}
            await _complete(repository, trial.number, {"accuracy": rate, "size": units, **latency})
    return [dict(trial.parameters) for trial in repository.trials(-1, 99)]


@pytest.mark.parametrize("sampler", ["Grid", "BruteForce"])
async def test_walks_end_after_all_their_points(sqlite_world: DatabaseWorld, sampler: str) -> None:
    units = {"name": "units", "type": "Int", "low": 1, "high": 5}
    document = {
        **_spec(sampler="Random").to_document(),
        "parameters": [units],
        "search": {"sampler": {"name": sampler}},
    }
    sqlite_world.spec = StudySpec.model_validate(document)
    repository = await sqlite_world.open()
    asked = await repository.ask(9)
    for trial in asked:
        await _complete(repository, trial.number, {"accuracy": 0.5, "size": float(trial.parameters["units"])})
    history = repository.history()
    assert sorted(trial.parameters["units"] for trial in asked) == [1, 2, 3, 4, 5]
    assert (history.exhausted, history.complete, len(history.front.members)) == (True, 5, 1)


async def test_a_started_study_takes_neither_other_objectives_nor_other_constraints(world: DatabaseWorld) -> None:
    world.spec = _spec()
    await (await world.open()).ask(1)
    world.spec = _spec(constraints=({"metric": "latency", "max": 20},))
    with pytest.raises(InvalidStudy, match="metricConstraints"):
        await world.reopen()
    world.spec = world.spec.model_copy(update={"objectives": world.spec.objectives[:1], "metric_constraints": []})
    with pytest.raises(InvalidStudy, match="objectives"):
        await world.reopen()


async def test_a_study_without_trials_takes_more_objectives(world: DatabaseWorld) -> None:
    several = _spec()
    world.spec = several.model_copy(update={"objectives": several.objectives[:1]})
    await world.open()
    world.spec = several
    await (await world.open()).ask(1)
    with world.in_optuna() as study:
        assert len(study.directions) == 2


async def test_directions_that_somebody_changed_are_a_damage_of_this_study(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec()
    await (await sqlite_world.open()).ask(1)
    with sqlite_world.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM study_directions WHERE objective = 1")
    with pytest.raises(StorageDamaged, match="directions of its objectives are MAXIMIZE"):
        await sqlite_world.reopen()


async def test_a_trial_with_too_few_values_is_a_damage_of_this_study(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec()
    repository = await sqlite_world.open()
    await repository.ask(1)
    await _complete(repository, 0, {"accuracy": 0.5, "size": 3.0})
    with sqlite_world.in_optuna() as study:
        assert study.trials[0].state is TrialState.COMPLETE
    with sqlite_world.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM trial_values WHERE objective = 1")
    with pytest.raises(StorageDamaged, match="its values are"):
        await sqlite_world.reopen()
