"""In a deterministic study the same results repeat the whole search, whichever trials end first."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld
from tuning_contract.environment import ParameterValue
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.parallelism import free_slots, trials_to_ask
from tuning_operator.decisions.trials import EndState

TRIALS, PARALLELISM = 20, 4

SAMPLERS: list[dict[str, Any]] = [
    {"name": "TPE", "options": {"nStartupTrials": 3}},
    {"name": "TPE", "options": {"nStartupTrials": 3, "group": True, "constantLiar": False}},
    {"name": "CMAES", "options": {"popsize": 4}},
    {"name": "NSGAII", "options": {"populationSize": 4}},
    {"name": "QMC"},
]


def _spec(sampler: Mapping[str, Any], **search: Any) -> StudySpec:
    enqueued = [{"optimizer": "sgd"}, {"rate": 0.01, "units": 32}]
    spec = study_spec(search={"sampler": sampler, "seed": 3, "deterministic": True, "enqueue": enqueued, **search})
    return spec.model_copy(update={"parallelism": PARALLELISM, "max_trials": TRIALS})


def _end(number: int, parameters: Mapping[str, ParameterValue]) -> tuple[float, EndState]:
    """A training that repeats exactly; some fail."""
    value = math.sin(1e4 * float(parameters["rate"])) + float(parameters["units"]) / 100
    return value, EndState.FAILED if number % 7 == 5 else EndState.COMPLETE


async def _run(world: DatabaseWorld, chance: random.Random) -> list[Mapping[str, ParameterValue]]:
    """Run the study as the engine does, with ends in any order and restarts at any point; return its parameters."""
    await world.repositories.delete_history((await world.open()).key)
    study = await world.reopen()
    running: dict[int, Mapping[str, ParameterValue]] = {}
    everything: list[Mapping[str, ParameterValue]] = []
    while True:
        slots = free_slots(world.spec, len(running))
        count = trials_to_ask(world.spec, study.history(), slots if chance.random() < 0.7 else min(slots, 1))
        for trial in await study.ask(count) if count else ():
            running[trial.number] = trial.parameters
            everything.append(trial.parameters)
        if not running:
            return everything
        ending = chance.sample(sorted(running), chance.randint(1, len(running)))
        ends = [(number, *_end(number, running.pop(number))) for number in ending]
        await study.tell([outcome(number, value, state) for number, value, state in ends])
        if chance.random() < 0.2:
            study = await world.reopen()


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
async def test_neither_the_order_of_ends_nor_restarts_change_a_trial(
    sqlite_world: DatabaseWorld, sampler: dict[str, Any]
) -> None:
    sqlite_world.spec = _spec(sampler)
    runs = [await _run(sqlite_world, random.Random(order)) for order in range(4)]
    assert len(runs[0]) == TRIALS
    assert runs.count(runs[0]) == len(runs)


async def test_without_it_the_order_of_ends_matters(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = _spec(SAMPLERS[0], deterministic=False)
    runs = [await _run(sqlite_world, random.Random(order)) for order in range(4)]
    assert runs.count(runs[0]) < len(runs)
