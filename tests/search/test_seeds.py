"""The same seed and the same order of asks and tells give the same suggestions, over restarts too."""

from __future__ import annotations

import math
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.search.drafting import Drafting
from tests.search.studies import batch, outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_operator.decisions.trials import EndState

SAMPLERS = [
    {"name": "Random"},
    {"name": "Random", "options": {"unique": True}},
    {"name": "QMC"},
    {"name": "QMC", "options": {"qmcType": "Halton"}},
    {"name": "TPE", "options": {"nStartupTrials": 3}},
    {"name": "TPE", "options": {"nStartupTrials": 3, "group": True, "constantLiar": False}},
    {"name": "TPE", "options": {"nStartupTrials": 3, "multivariate": False}},
    {"name": "CMAES", "options": {"popsize": 4}},
    {"name": "CMAES", "options": {"popsize": 4, "withMargin": True, "considerPrunedTrials": True}},
    {"name": "CMAES", "options": {"popsize": 4, "useSeparableCma": True}},
    {"name": "NSGAIII", "options": {"populationSize": 3, "crossover": "UNDX"}},
    {"name": "NSGAII", "options": {"populationSize": 3, "mutation": "Polynomial"}},
]
GP = {"name": "GP", "options": {"nStartupTrials": 2}}
"""Takes seconds for a trial, so that one test must do."""

_OPTUNAS = {
    EndState.COMPLETE: TrialState.COMPLETE,
    EndState.PRUNED: TrialState.PRUNED,
    EndState.FAILED: TrialState.FAIL,
}


@pytest.mark.parametrize("sampler", [*SAMPLERS, pytest.param(GP, marks=pytest.mark.training)], ids=str)
async def test_a_restart_changes_no_suggestion(sqlite_world: DatabaseWorld, sampler: dict[str, Any]) -> None:
    sqlite_world.spec = study_spec(search={"sampler": sampler, "seed": 3})
    study = await sqlite_world.open()
    without = Drafting(sqlite_world.spec)
    for round_ in range(3 if sampler is GP else 10):
        for _ in range(2):
            (restarted,) = await study.ask(1)
            assert [restarted.parameters] == without.ask(1), round_
        ends = [(2 * round_, math.sin(round_), EndState.COMPLETE)]
        if round_:
            ends.append((2 * round_ - 1, 0.5, (EndState.FAILED, EndState.PRUNED)[round_ % 2]))
        for number, value, state in ends:
            await study.report(number, 1, batch((1, value)))
            without.tell_trial(number, value, _OPTUNAS[state])
        await study.tell([outcome(*end) for end in ends])
        study = await sqlite_world.reopen()
    noted = study._storage.get_study_system_attrs(study._record.study_id)
    assert sampler["name"] not in ("NSGAII", "NSGAIII") or any(":parent:" in key for key in noted)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_one_ask_of_many_equals_many_asks_of_one(sampler: dict[str, Any]) -> None:
    spec = study_spec(search={"sampler": sampler, "seed": 3})
    one_by_one, at_once = Drafting(spec), Drafting(spec)
    for drafting in (one_by_one, at_once):
        drafting.ask(4)
        drafting.tell([0.1, 0.2, 0.3])
    assert [one_by_one.ask(1)[0] for _ in range(4)] == at_once.ask(4)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_trials_of_a_study_differ_and_so_do_seeds(sampler: dict[str, Any]) -> None:
    rates = {
        (seed, trial["rate"])
        for seed in (1, 2)
        for trial in Drafting(study_spec(search={"sampler": sampler, "seed": seed})).ask(5)
    }
    assert len({rate for _, rate in rates}) == 10


async def test_a_study_without_a_seed_keeps_the_one_it_was_given(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = study_spec(search={"seed": None})
    study = await sqlite_world.open()
    seed = study._record.seed
    first = await study.ask(1)
    study = await sqlite_world.reopen()
    assert study._record.seed == seed
    await sqlite_world.repositories.delete_history(study.key)
    other = await (await sqlite_world.reopen()).ask(1)
    assert other[0].parameters["rate"] != first[0].parameters["rate"]


async def test_trainings_have_different_seeds_that_every_library_takes(sqlite_world: DatabaseWorld) -> None:
    study = await sqlite_world.open()
    seeds = [trial.seed for trial in await study.ask(20)]
    assert len(set(seeds)) == 20
    assert all(0 <= seed < 2**31 for seed in seeds)
