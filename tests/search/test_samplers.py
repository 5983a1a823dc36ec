"""What samplers promise besides what test_methods.py asks of all of them."""

from __future__ import annotations

import math
import pickle
import statistics
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy
import pytest
from cmaes import CMA, SepCMA
from optuna.trial import TrialState

from tests.search.drafting import Drafting
from tests.search.methods import SAMPLERS, SQUARE, space_of
from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld, FaultyStatements
from tuning_contract.environment import ParameterValue
from tuning_operator.errors import InvalidStudy, StorageUnavailable


def _square(trial: Mapping[str, ParameterValue]) -> float:
    """The larger the nearer to a point inside; at random -0.25 in the middle."""
    x, y = trial["x"], trial["y"]
    assert isinstance(x, float)
    assert isinstance(y, float)
    return -((x - 0.3) ** 2) - (y - 0.8) ** 2


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_hundred_first_asks_at_once_are_a_hundred_points(sampler: dict[str, Any]) -> None:
    trials = Drafting(study_spec(space_of(sampler), {"sampler": sampler})).ask(100)
    assert len({str(trial) for trial in trials}) == 100


@pytest.mark.parametrize("crossover", ["BLXAlpha", "SPX", "SBX", "VSBX", "UNDX"])
@pytest.mark.parametrize("sampler", ["NSGAII", "NSGAIII"])
def test_a_genetic_algorithm_finds_a_child_in_a_space_of_many_parameters(sampler: str, crossover: str) -> None:
    space = tuple({"name": f"x{index}", "type": "Float", "low": 0, "high": 1} for index in range(200))
    options = {"populationSize": 10, "crossover": crossover}
    drafting = Drafting(study_spec(space, {"sampler": {"name": sampler, "options": options}}))
    drafting.ask(10)
    drafting.tell([0.1 * number for number in range(10)])
    (child,) = drafting.ask(1)
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in child.values())


@pytest.mark.parametrize("qmc_type", ["Sobol", "Halton"])
def test_points_of_a_sequence_are_spread_evenly_when_all_are_asked_for_at_once(qmc_type: str) -> None:
    sampler = {"name": "QMC", "options": {"qmcType": qmc_type}}
    trials = Drafting(study_spec(SQUARE, {"sampler": sampler})).ask(64)
    for name in ("x", "y"):
        counts = [sum(int(float(trial[name]) * 16) == part for trial in trials) for part in range(16)]
        assert counts == [4] * 16 if qmc_type == "Sobol" else max(counts) <= 6


def test_a_scrambled_sequence_follows_the_seed_and_another_one_does_not() -> None:
    def first(scramble: bool, seed: int) -> Mapping[str, ParameterValue]:
        sampler = {"name": "QMC", "options": {"scramble": scramble}}
        return Drafting(study_spec(SQUARE, {"sampler": sampler, "seed": seed})).ask(1)[0]

    assert first(True, 1) != first(True, 2)
    assert first(False, 1) == first(False, 2) == {"x": 0.0, "y": 0.0}


@pytest.mark.parametrize(
    "sampler",
    [
        {"name": "TPE"},
        {"name": "CMAES"},
        {"name": "CMAES", "options": {"useSeparableCma": True}},
        {"name": "NSGAII", "options": {"populationSize": 10}},
        {"name": "NSGAIII", "options": {"populationSize": 10, "crossover": "BLXAlpha"}},
    ],
    ids=str,
)
def test_a_sampler_that_learns_gets_better(sampler: dict[str, Any]) -> None:
    drafting = Drafting(study_spec(SQUARE, {"sampler": sampler}))
    values = []
    for _ in range(50):
        told = [_square(trial) for trial in drafting.ask(2)]
        drafting.tell(told)
        values += told
    assert statistics.median(values[40:]) > -0.15


def test_a_generation_of_cma_es_is_no_smaller_than_what_runs_at_once() -> None:
    spec = study_spec(SQUARE, {"sampler": {"name": "CMAES"}}).model_copy(update={"parallelism": 20})
    drafting = Drafting(spec)
    generations = []
    for _ in range(6):
        drafting.tell([_square(trial) for trial in drafting.ask(20)])
        newest = drafting.trials[-1]
        generations.append(newest.system_attrs.get("cma:generation"))
    assert generations == [None, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("considers", [False, True])
def test_cma_es_learns_from_pruned_trials_if_it_is_told_to_but_not_from_nan(considers: bool) -> None:
    options = {"considerPrunedTrials": considers, "popsize": 4}
    drafting = Drafting(study_spec(SQUARE, {"sampler": {"name": "CMAES", "options": options}}))
    drafting.tell([_square(trial) for trial in drafting.ask(1)])
    for number, trial in enumerate(drafting.ask(4), start=1):
        drafting.tell_trial(number, _square(trial), TrialState.PRUNED)
    for number, _ in enumerate(drafting.ask(2), start=5):
        drafting.tell_trial(number, math.nan, TrialState.PRUNED)
    drafting.ask(1)
    trials = drafting.trials
    assert trials[-1].system_attrs["cma:generation"] == considers
    assert {trial.number for trial in drafting.asking._sampler._get_trials(drafting.asking._study)} == (
        {0, 1, 2, 3, 4} if considers else {0}
    )
    assert trials[1].state is TrialState.PRUNED


def test_a_strategys_state_that_somebody_else_wrote_is_not_executed() -> None:
    drafting = Drafting(study_spec(SQUARE, {"sampler": {"name": "CMAES"}}))
    drafting.tell([_square(trial) for trial in drafting.ask(2)])

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return exec, ("import sys; sys.evil = True",)

    drafting.tell([_square(trial) for trial in drafting.ask(1)])
    drafting.trials[-1].system_attrs["cma:optimizer:0"] = pickle.dumps(Evil()).hex()
    drafting.restart()
    assert drafting.ask(1)
    assert not hasattr(sys, "evil")


@pytest.mark.parametrize(
    "parts",
    [
        {"0": pickle.dumps(5).hex()},
        {"0": pickle.dumps(numpy.zeros(3)).hex()},
        {"0": pickle.dumps(CMA(mean=numpy.zeros(7), sigma=1.0)).hex()},
        {"0": pickle.dumps(CMA.__new__(CMA)).hex()},
        {"0": pickle.dumps(SepCMA(mean=numpy.zeros(2), sigma=1.0)).hex()},
        {"1": "80"},
        {"0": 5},
        {"0": "no hexadecimal number"},
    ],
    ids=["number", "array", "other dimensions", "empty", "other kind", "part missing", "no text", "not hexadecimal"],
)
def test_a_state_that_is_no_strategy_of_the_study_counts_as_none(parts: dict[str, Any]) -> None:
    drafting = Drafting(study_spec(SQUARE, {"sampler": {"name": "CMAES"}}))
    drafting.tell([_square(trial) for trial in drafting.ask(2)])
    attributes = drafting.trials[-1].system_attrs
    attributes.update({f"cma:optimizer:{part}": value for part, value in parts.items()})
    drafting.restart()
    drafting.ask(1)
    assert drafting.trials[-1].system_attrs["cma:generation"] == 0


def test_without_pytorch_the_sampler_gp_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InvalidStudy, match="extra `gp`") as refused:
        Drafting(study_spec(search={"sampler": {"name": "GP"}}))
    assert refused.value.reason == "SamplerNotInstalled"


def test_a_slow_sampler_hands_over_what_it_has() -> None:
    spec = study_spec(SQUARE, {"sampler": {"name": "TPE"}})
    all_at_once = Drafting(spec).ask(3)
    slow = Drafting(spec).asking
    assert [[dict(each.trial.params) for each in slow.suggest([], 3, -1.0)] for _ in range(3)] == [
        [trial] for trial in all_at_once
    ]


async def test_what_a_sampler_notes_about_the_study_is_stored_with_the_trials_of_the_ask(
    sqlite_world: DatabaseWorld,
) -> None:
    sqlite_world.spec = study_spec(SQUARE, {"sampler": {"name": "NSGAII", "options": {"populationSize": 2}}})
    study = await sqlite_world.open()
    study_id = study._record.study_id
    await study.ask(2)
    await study.tell([outcome(0, 0.1), outcome(1, 0.2)])
    before = study._storage.get_study_system_attrs(study_id)
    with FaultyStatements(sqlite_world.database, 1), pytest.raises(StorageUnavailable):
        await study.ask(1)
    assert study._storage.get_study_system_attrs(study_id) == before
    await study.ask(1)
    noted = study._storage.get_study_system_attrs(study_id)
    assert [*noted.keys() - before.keys()] == ["NSGAIISampler:parent:1"]
    study = await sqlite_world.reopen()
    assert study._storage.get_study_system_attrs(study_id) == noted


def test_libraries_of_one_sampler_are_loaded_only_where_it_is_used() -> None:
    """SciPy takes a second and 80 MB, PyTorch more."""
    script = "import sys, tuning_operator.search.repositories; print({'scipy', 'cmaes', 'torch'} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"
