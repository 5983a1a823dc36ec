"""Values of a reverse logarithmic scale lie dense near `high`, and are stored as the user sees them."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from tests.search.drafting import Drafting
from tests.search.studies import outcome, study_spec
from tests.search.worlds import DatabaseWorld

PARAMETERS = (
    {"name": "decay", "type": "Float", "low": 1e-4, "high": 1.0, "scale": "ReverseLog"},
    {"name": "units", "type": "Int", "low": 1, "high": 1000, "scale": "ReverseLog"},
    {"name": "rate", "type": "Float", "low": 1e-4, "high": 1.0, "scale": "Log"},
)
TPE = {"name": "TPE", "options": {"nStartupTrials": 4}}


def test_equal_ratios_of_the_distance_are_equally_likely() -> None:
    trials = Drafting(study_spec(PARAMETERS)).ask(400)
    # 1e-4 + 1 - x is spread as an ordinary logarithmic scale: half of it below 1e-2.
    assert math.log10(median(1 + 1e-4 - float(trial["decay"]) for trial in trials)) == pytest.approx(-2, abs=0.4)
    assert math.log10(median(1001 - float(trial["units"]) for trial in trials)) == pytest.approx(1.5, abs=0.3)


def test_optunas_tables_have_the_users_values_in_an_ordinary_range() -> None:
    drafting = Drafting(study_spec(PARAMETERS, {"sampler": TPE}))
    trials = drafting.ask(3)
    for trial, stored in zip(trials, drafting.trials, strict=True):
        assert stored.params == trial
    assert drafting.trials[0].distributions == {
        "decay": FloatDistribution(1e-4, 1.0),
        "units": IntDistribution(1, 1000),
        "rate": FloatDistribution(1e-4, 1.0, log=True),
    }


@pytest.mark.parametrize("told", [0, 5])
def test_a_sampler_sees_the_same_to_the_last_digit_after_a_restart(told: int) -> None:
    study = Drafting(study_spec(PARAMETERS, {"sampler": TPE}))
    study.ask(20)
    study.tell([0.5] * told)
    study.ask(1)
    before = [trial.params for trial in study.asking._study.get_trials(deepcopy=True)]
    study.restart()
    assert [trial.params for trial in study.asking._study.get_trials()] == before


@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 0.9, 1e-4, 1, 0.12345678901234567])
def test_an_enqueued_value_is_kept_to_the_last_digit(value: float) -> None:
    (trial,) = Drafting(study_spec(PARAMETERS, {"enqueue": [{"decay": value}]})).ask(1)
    assert trial["decay"] == value


@pytest.mark.parametrize(
    "sampler",
    [
        TPE,
        {"name": "QMC"},
        {"name": "CMAES", "options": {"nStartupTrials": 3}},
        {"name": "NSGAII", "options": {"populationSize": 4}},
        {"name": "GP", "options": {"nStartupTrials": 4}},
    ],
    ids=str,
)
def test_a_model_sees_an_ordinary_logarithmic_scale_run_backwards(sampler: dict[str, Any]) -> None:
    other = {"name": "other", "type": "Float", "low": 0, "high": 1}
    forwards = Drafting(study_spec(({**PARAMETERS[0], "scale": "Log"}, other), {"sampler": sampler}))
    backwards = Drafting(study_spec((PARAMETERS[0], other), {"sampler": sampler}))
    for _ in range(12):
        (trial,), (mirrored,) = forwards.ask(1), backwards.ask(1)
        assert mirrored["decay"] == pytest.approx(1 + 1e-4 - float(trial["decay"]), abs=1e-9)
        for drafting in (forwards, backwards):
            drafting.tell([float(trial["decay"])])


async def test_a_restart_changes_no_suggestion(sqlite_world: DatabaseWorld) -> None:
    sqlite_world.spec = study_spec(PARAMETERS, {"sampler": TPE, "enqueue": [{"decay": 0.3}]})
    in_memory, study = Drafting(sqlite_world.spec), await sqlite_world.open()
    for number in range(8):
        (stored,), (drafted,) = await study.ask(1), in_memory.ask(1)
        assert stored.parameters == drafted
        await study.tell([outcome(number, 0.1 * number)])
        in_memory.tell([0.1 * number])
        study = await sqlite_world.reopen()
        before = study.finished(number)
        assert before is not None
        assert before.parameters == stored.parameters
