"""What every implementation of `TrialRepository` promises of parameters that a trial's code names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import new_attempt
from tests.search.studies import KEY, outcome, study_spec
from tuning_operator.api.named_parameters import NamedParameter
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.trials import FinishedTrial, OpenTrial
from tuning_operator.errors import NotFound, ParameterRefused
from tuning_operator.ports import TrialRepository

RATE = {"name": "rate", "type": "Float", "low": 1e-5, "high": 1e-1, "scale": "Log"}
UNITS = {"name": "units", "type": "Int", "low": 16, "high": 64, "step": 16}
KIND = {"name": "kind", "type": "Categorical", "choices": ["a", True, 1, 0.5]}
STEPPED = {"name": "drop/out[0]", "type": "Float", "low": 0.1, "high": 0.9, "step": 0.1}
NAMED = (RATE, UNITS, KIND, STEPPED)


def named(fields: dict[str, Any], **changed: Any) -> NamedParameter:
    """Return a parameter as code asks for it."""
    return NamedParameter.model_validate({**fields, **changed})


def by_run(search: dict[str, Any] | None = None, **fields: Any) -> StudySpec:
    """Return the spec of a study whose trials name all their parameters, unless told otherwise."""
    document = {**study_spec().to_document(), "parameters": [], "defineByRun": True, **fields}
    document["search"] = {"seed": 7, "sampler": {"name": "Random"}, **(search or {})}
    return StudySpec.model_validate(document, by_alias=True)


class NamingSuite:
    """The promises."""

    async def test_code_gets_values_of_the_parameters_that_it_names(self, world: Any) -> None:
        study = await _asked(world)
        assert _trial(study).parameters == {}
        values = [await study.choose_parameter(0, 1, named(fields)) for fields in NAMED]
        rate, units, kind, stepped = values
        assert isinstance(rate, float)
        assert 1e-5 <= rate <= 1e-1
        assert units in (16, 32, 48, 64)
        assert any(kind is choice or kind == choice for choice in KIND["choices"])
        assert stepped in [round(0.1 * step, 1) for step in range(1, 10)]
        shown = _trial(study).parameters
        assert list(shown) == [fields["name"] for fields in NAMED]
        assert (shown["rate"], shown["units"], shown["drop/out[0]"]) == (rate, units, stepped)

    async def test_a_trial_has_the_same_value_whenever_it_asks(self, world: Any) -> None:
        study = await _asked(world)
        values = [await study.choose_parameter(0, 1, named(fields)) for fields in NAMED]
        assert [await study.choose_parameter(0, 1, named(fields)) for fields in NAMED] == values
        await study.start_attempt(new_attempt(0, 2))
        assert [await study.choose_parameter(0, 2, named(fields)) for fields in NAMED] == values
        before = dict(_trial(study).parameters)
        await world.restart()
        study = await world.repositories.open(KEY, by_run())
        assert _trial(study).parameters == before
        again = [await study.choose_parameter(0, 2, named(fields)) for fields in NAMED]
        assert [(type(value), value) for value in again] == [(type(value), value) for value in values]

    async def test_another_range_than_before_changes_nothing(self, world: Any) -> None:
        study = await _asked(world)
        value = await study.choose_parameter(0, 1, named(RATE))
        assert await study.choose_parameter(0, 1, named(RATE, low=0.5, high=0.9)) == value

    async def test_a_finished_trial_keeps_what_its_code_named(self, world: Any) -> None:
        study = await _asked(world)
        value = await study.choose_parameter(0, 1, named(UNITS))
        await study.tell([outcome(0, 0.5)])
        await world.restart()
        finished = (await world.repositories.open(KEY, by_run())).finished(0)
        assert isinstance(finished, FinishedTrial)
        assert finished.parameters == {"units": value}

    async def test_a_trial_has_the_study_s_own_parameters_first(self, world: Any) -> None:
        spec = by_run(parameters=[{"name": "epochs", "type": "Fixed", "value": 5}, UNITS])
        study = await world.repositories.open(KEY, spec)
        await study.ask(1)
        assert list(_trial(study).parameters) == ["epochs", "units"]
        fingerprint = _trial(study).fingerprint
        await study.choose_parameter(0, 1, named(RATE))
        assert list(_trial(study).parameters) == ["epochs", "units", "rate"]
        assert _trial(study).fingerprint == fingerprint, "what is named is not in the Job"

    async def test_code_does_not_name_what_is_the_study_s_own(self, world: Any) -> None:
        spec = by_run(parameters=[{"name": "epochs", "type": "Fixed", "value": 5}, UNITS])
        study = await world.repositories.open(KEY, spec)
        await study.ask(1)
        with pytest.raises(ParameterRefused, match="one of the study's own"):
            await study.choose_parameter(0, 1, named(UNITS, name="epochs"))
        assert await study.choose_parameter(0, 1, named(UNITS)) == _trial(study).parameters["units"]

    @pytest.mark.parametrize(("number", "attempt"), [(1, 1), (-1, 1), (0, 0), (0, 2)])
    async def test_a_trial_that_is_not_running_names_nothing(self, world: Any, number: int, attempt: int) -> None:
        study = await _asked(world)
        with pytest.raises(NotFound):
            await study.choose_parameter(number, attempt, named(RATE))

    async def test_an_older_attempt_and_a_trial_that_has_ended_name_nothing(self, world: Any) -> None:
        study = await _asked(world)
        await study.start_attempt(new_attempt(0, 2))
        with pytest.raises(NotFound):
            await study.choose_parameter(0, 1, named(RATE))
        await study.tell([outcome(0, 0.5)])
        with pytest.raises(NotFound):
            await study.choose_parameter(0, 2, named(RATE))

    @pytest.mark.parametrize("changed", [{"scale": "Linear"}, {"type": "Int", "low": 1, "high": 9, "scale": None}])
    async def test_a_parameter_of_another_kind_needs_another_name(self, world: Any, changed: dict[str, Any]) -> None:
        study = await _asked(world, trials=2)
        await study.choose_parameter(0, 1, named(RATE))
        for number in (0, 1):
            with pytest.raises(ParameterRefused, match="a Float on a Log scale"):
                await study.choose_parameter(number, 1, named(RATE, **changed))
        assert isinstance(await study.choose_parameter(1, 1, named(RATE)), float)

    async def test_other_choices_need_another_name(self, world: Any) -> None:
        study = await _asked(world, trials=2)
        await study.choose_parameter(0, 1, named(KIND))
        with pytest.raises(ParameterRefused, match="Categorical"):
            await study.choose_parameter(1, 1, named(KIND, choices=["a", "b"]))

    async def test_a_trial_names_so_many_parameters_and_no_more(self, world: Any) -> None:
        study = await _asked(world)
        for index in range(200):
            await study.choose_parameter(0, 1, named(UNITS, name=f"units_{index}"))
        with pytest.raises(ParameterRefused, match="has 200 parameters"):
            await study.choose_parameter(0, 1, named(UNITS))
        assert await study.choose_parameter(0, 1, named(UNITS, name="units_7")) in (16, 32, 48, 64)

    async def test_a_study_that_has_its_parameters_lets_code_name_none(self, world: Any) -> None:
        study = await world.repositories.open(KEY, study_spec())
        await study.ask(1)
        with pytest.raises(ParameterRefused, match="defineByRun: true"):
            await study.choose_parameter(0, 1, named(RATE, name="momentum"))


async def _asked(world: Any, trials: int = 1) -> TrialRepository:
    study: TrialRepository = await world.repositories.open(KEY, by_run())
    await study.ask(trials)
    return study


def _trial(study: TrialRepository, number: int = 0) -> OpenTrial:
    return next(trial for trial in study.history().open if trial.number == number)
