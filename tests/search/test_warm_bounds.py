"""Results of others break the bounds of a study's metrics as its own trials do, where their source knows the metric."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from tests.search.studies import KEY, METRIC, outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_operator.api.study import StudySpec
from tuning_operator.errors import StorageDamaged
from tuning_operator.search import tables
from tuning_operator.search.repository import StudyRepository
from tuning_operator.search.study_rows import set_attrs

SPACE: tuple[Mapping[str, Any], ...] = ({"name": "x", "type": "Float", "low": 0, "high": 1},)
BOUNDS = ({"metric": "size", "max": 30, "min": 10}, {"metric": "latency", "max": 5})
OTHER = replace(KEY, name="other", uid="uid-other")
CSV = "x, accuracy, size, latency\n" + "".join(f"{x / 10}, {x / 10}, 20, {10 if x > 5 else 1}\n" for x in range(10))
"""The best ones are too slow."""


def _spec(
    *sources: Mapping[str, str], sampler: str = "TPE", bounds: Sequence[Mapping[str, Any]] = BOUNDS, **options: Any
) -> StudySpec:
    warm_start = [dict(source) for source in sources]
    search = {"sampler": {"name": sampler, "options": options}, "warmStart": warm_start}
    document = study_spec(SPACE, search).to_document()
    return StudySpec.model_validate({**document, "metricConstraints": [dict(bound) for bound in bounds]})


async def _complete(study: StudyRepository, number: int, values: dict[str, float]) -> None:
    await study.report(number, 1, ReportBatch((Report(1, values),), TrialEnd(FinalState.COMPLETE)))
    trial = next(trial for trial in study.history().open if trial.number == number)
    await study.tell([outcome(number, trial.value, after=trial.last_words)])


async def _warm(world: DatabaseWorld, spec: StudySpec) -> list[dict[str, float]]:
    """Return what samplers know of the bounds of each warm trial, once before and once after a restart."""
    world.spec = spec
    before = [trial.constraints for trial in (await world.open())._warm.trials]
    study = await world.reopen()
    after = [trial.constraints for trial in study._warm.trials]
    assert [[*each.items()] for each in after] == [[*each.items()] for each in before], "order counts"
    return after


async def test_what_a_tuning_study_measured_is_held_against_the_new_bounds(world: DatabaseWorld) -> None:
    bounds = [{"metric": "size", "max": 99}, {"metric": "latency", "max": 99}]
    other = await world.repositories.open(OTHER, _spec(sampler="Random", bounds=bounds))
    await other.ask(3)
    await _complete(other, 0, {METRIC: 0.5, "size": 20, "latency": 3})
    await _complete(other, 1, {METRIC: 0.5, "size": 40, "latency": 7})
    await _complete(other, 2, {METRIC: 0.5, "size": 5})
    assert await _warm(world, _spec({"study": "other"})) == [
        {"size max": -10, "size min": -10, "latency max": -2},
        {"size max": 10, "size min": -30, "latency max": 2},
        {"size max": -25, "size min": 5, "latency max": 99},
    ], "the last one's latency broke the bound of its own study, by what counts where none is reported"
    assert (await world.open()).history().warm_start == "3 of 3 complete trials of the study other are used"


async def test_an_objective_of_another_study_may_have_a_bound_here(sqlite_world: DatabaseWorld) -> None:
    with_two = _spec(sampler="Random", bounds=[]).to_document()
    with_two["objectives"].append({"metric": "latency", "direction": "Minimize"})
    other = await sqlite_world.repositories.open(OTHER, StudySpec.model_validate(with_two))
    await other.ask(1)
    await _complete(other, 0, {METRIC: 0.5, "latency": 7})
    bounds = [{"metric": "latency", "max": 5}, {"metric": METRIC, "min": 0.75}]
    warm = await _warm(sqlite_world, _spec({"study": "other"}, bounds=bounds))
    assert warm == [{"latency max": 2, f"{METRIC} min": 0.25}]


async def test_a_notebook_says_it_in_user_attributes_or_in_constraints(world: DatabaseWorld) -> None:
    await world.open()
    broken = {"size max": 30, "size min": 10, "latency max": 5}
    of = [
        ({"user_attrs": {"size": 33, "latency": 4.0}}, {"size max": 3, "size min": -23, "latency max": -1}),
        ({"user_attrs": {"size": math.nan, "latency": math.inf}}, broken),
        ({"system_attrs": {"constraints:latency": 9.0}}, {"size max": 0, "size min": 0, "latency max": 4}),
        (
            {"system_attrs": {"constraints:size max": 2, "constraints:size min": -9, "constraints:else": 7}},
            {"size max": 2, "size min": -9, "latency max": 0},
        ),
        ({"system_attrs": {"constraints": [-1.0, 6.0]}}, {"size max": 6, "size min": 6, "latency max": 6}),
        ({"system_attrs": {"constraints": [-1.0, -2.0]}}, {"size max": 0, "size min": 0, "latency max": 0}),
        ({"user_attrs": {"size": "small", "latency": True}}, {"size max": 0, "size min": 0, "latency max": 0}),
        ({"system_attrs": {"constraints:latency": math.inf}}, {"size max": 0, "size min": 0, "latency max": 5}),
    ]
    with world.database.through_optuna() as storage, warnings.catch_warnings(action="ignore"):
        notebook = optuna.create_study(storage=storage, study_name="notebook", direction="maximize")
        for attrs, _ in of:
            given: dict[str, Any] = dict(attrs)
            notebook.add_trial(
                create_trial(params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}, value=0.5, **given)
            )
    assert await _warm(world, _spec({"storageStudy": "notebook"})) == [excesses for _, excesses in of]
    assert (await world.open()).history().warm_start == (
        "8 of 8 complete trials of the storage's study notebook are used (not known, and taken to lie on its bound: "
        "`size` in 3, `latency` in 2)"
    )


async def test_a_table_may_have_metrics_with_bounds(sqlite_world: DatabaseWorld) -> None:
    table = "x,accuracy,latency\n0.5,0.5,7\n0.5,0.6,\n"
    assert await _warm(sqlite_world, _spec({"csv": table})) == [
        {"size max": 0, "size min": 0, "latency max": 2},
        {"size max": 0, "size min": 0, "latency max": 0},
    ]
    assert (await sqlite_world.open()).history().warm_start == (
        "2 of 2 complete trials of the CSV are used (not known, and taken to lie on its bound: `size` in 2, "
        "`latency` in 1)"
    )


@pytest.mark.parametrize("cell", ["", "NaN", "None", "-", "null"])
async def test_a_metric_that_a_line_does_not_have_is_not_known(sqlite_world: DatabaseWorld, cell: str) -> None:
    table = f"x,accuracy,latency,system_attrs_constraints:size max\n0.5,0.5,{cell},{cell}\n"
    assert await _warm(sqlite_world, _spec({"csv": table})) == [{"size max": 0, "size min": 0, "latency max": 0}]


async def test_a_constraint_that_is_no_number_is_broken(sqlite_world: DatabaseWorld) -> None:
    table = 'x,accuracy,system_attrs_constraints\n0.5,0.5,"(nan, -1)"\n'
    (excesses,) = await _warm(sqlite_world, _spec({"csv": table}))
    assert all(excess > 0 for excess in excesses.values())


async def test_tpe_keeps_away_from_what_breaks_bounds(sqlite_world: DatabaseWorld) -> None:
    means = []
    for bounds in (BOUNDS, []):
        sqlite_world.spec = _spec({"csv": CSV}, bounds=bounds, nStartupTrials=5)
        study = await sqlite_world.repositories.open(replace(KEY, uid=f"uid-{len(bounds)}"), sqlite_world.spec)
        trials = [trial for _ in range(8) for trial in await study.ask(1)]
        means.append(mean(float(trial.parameters["x"]) for trial in trials))
    with_bounds, without = means
    assert with_bounds < 0.6 < without


@pytest.mark.parametrize("separable", [False, True])
async def test_cma_es_begins_at_the_best_of_those_within_the_bounds(
    sqlite_world: DatabaseWorld, separable: bool
) -> None:
    document = _spec({"csv": CSV.replace("size", "size, y").replace(", 20,", ", 20, 0.5,")}).to_document()
    document["parameters"] = [{**SPACE[0], "name": name} for name in ("x", "y")]
    document["search"]["sampler"] = {"name": "CMAES", "options": {"useSeparableCma": separable}}
    sqlite_world.spec = StudySpec.model_validate(document)
    study = await sqlite_world.open()
    trials = [trial for _ in range(16) for trial in await study.ask(1)]
    assert abs(mean(float(trial.parameters["x"]) for trial in trials) - 0.5) < 0.1


async def test_gp_learns_from_a_warm_start_with_bounds_the_same_when_it_is_loaded_anew(
    sqlite_world: DatabaseWorld,
) -> None:
    pytest.importorskip("torch", reason="GP needs PyTorch")
    spec = _spec({"csv": CSV}, sampler="GP")
    suggested = []
    for loaded_anew in (False, True):
        key = replace(KEY, uid=f"uid-{loaded_anew}")
        study = await sqlite_world.repositories.open(key, spec)
        for number in range(3):
            if loaded_anew and number:  # as after a restart, with the same search process: PyTorch takes seconds
                await sqlite_world.repositories.close(key.uid)
                study = await sqlite_world.repositories.open(key, spec)
            (trial,) = await study.ask(1)
            x = float(trial.parameters["x"])
            await _complete(study, number, {METRIC: x, "size": 20, "latency": 10 * x})
        suggested.append([trial.parameters for trial in study.trials(-1, 9)])
    assert suggested[0] == suggested[1]


async def test_a_warm_start_of_an_earlier_version_keeps_all_bounds(sqlite_world: DatabaseWorld) -> None:
    assert await _stored(sqlite_world, {"trials": [[{"x": 0.5}, [0.5]]], "report": ""}) == [
        {"size max": 0, "size min": 0, "latency max": 0}
    ]


@pytest.mark.parametrize(
    "excesses", [5, [], [[1, 2]], [[1, 2, math.nan]], [[1, 2, "text"]], [[1, 2, 3], [4, 5, 6]]], ids=str
)
async def test_excesses_that_somebody_else_wrote_are_this_studys_problem(
    sqlite_world: DatabaseWorld, excesses: Any
) -> None:
    with pytest.raises(StorageDamaged):
        await _stored(sqlite_world, {"trials": [[{"x": 0.5}, [0.5]]], "report": "", "excesses": excesses})


async def _stored(world: DatabaseWorld, value: Mapping[str, Any]) -> list[dict[str, float]]:
    world.spec = _spec()
    study = await world.open()
    await study.ask(1)
    with world.database.transaction() as connection:
        set_attrs(connection, tables.study_system_attributes, study._record.study_id, {"tuning:warm_start": value})
    return [trial.constraints for trial in (await world.reopen())._warm.trials]
