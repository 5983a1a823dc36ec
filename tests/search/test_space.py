"""Parameters become Optuna's distributions, and what is suggested lies in the space with JSON's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tests.search.drafting import Drafting
from tests.search.studies import study_spec
from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.search.space import Space, distribution

numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))
widths = st.floats(0, 1e6).map(lambda number: round(number, 3))
choices = st.one_of(st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1e-3]), st.text("ab1", max_size=3))


@st.composite
def float_parameters(draw: st.DrawFn) -> Mapping[str, Any]:
    """A Float: linear, with a step, or on a logarithmic scale."""
    low, width = draw(numbers), draw(widths)
    kind = draw(st.sampled_from(["linear", "step", "Log", "ReverseLog"]))
    if kind.endswith("Log"):
        low = abs(low) + 1e-3
    kinds: dict[str, dict[str, Any]] = {
        "linear": {},
        "step": {"step": draw(st.sampled_from([0.1, 0.3, 7.0]))},
        "Log": {"scale": "Log"},
        "ReverseLog": {"scale": "ReverseLog"},
    }
    return {"type": "Float", "low": low, "high": low + width, **kinds[kind]}


@st.composite
def int_parameters(draw: st.DrawFn) -> Mapping[str, Any]:
    """An Int: linear, with a step, or on a logarithmic scale."""
    low, width = draw(st.integers(-1000, 1000)), draw(st.integers(0, 1000))
    kind = draw(st.sampled_from(["linear", "step", "Log", "ReverseLog"]))
    if kind.endswith("Log"):
        low = abs(low) + 1
    kinds: dict[str, dict[str, Any]] = {
        "linear": {},
        "step": {"step": draw(st.integers(1, 50))},
        "Log": {"scale": "Log"},
        "ReverseLog": {"scale": "ReverseLog"},
    }
    return {"type": "Int", "low": low, "high": low + width, **kinds[kind]}


categorical_parameters = st.lists(choices, min_size=1, max_size=5, unique_by=lambda c: (isinstance(c, bool), c)).map(
    lambda values: {"type": "Categorical", "choices": values}
)
fixed_parameters = choices.map(lambda value: {"type": "Fixed", "value": value})
spaces = st.lists(
    st.one_of(float_parameters(), int_parameters(), categorical_parameters, fixed_parameters), min_size=1, max_size=4
).map(lambda parameters: tuple({"name": f"p{i}", **parameter} for i, parameter in enumerate(parameters)))


@settings(max_examples=40, deadline=None)
@given(spaces, st.sampled_from(["Random", "TPE"]), st.integers(0, 2**32 - 1))
def test_every_suggestion_lies_in_the_space(parameters: tuple[Mapping[str, Any], ...], sampler: str, seed: int) -> None:
    options = {"nStartupTrials": 2} if sampler == "TPE" else {}
    spec = study_spec(parameters, {"sampler": {"name": sampler, "options": options}, "seed": seed})
    drafting = Drafting(spec)
    for _ in range(3):
        trials = drafting.ask(2)
        for trial in trials:
            for parameter in spec.parameters:
                _check(parameter, trial[parameter.name])
        drafting.tell([0.25, 0.75])


def _check(parameter: Parameter, value: Any) -> None:
    assert parameter.contains(value), f"{value!r} is not in {parameter}"
    if parameter.type is ParameterType.INT:
        assert type(value) is int
    if parameter.type is ParameterType.FLOAT:
        assert type(value) is float


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"type": "Float", "low": 0, "high": 1}, FloatDistribution(0.0, 1.0)),
        ({"type": "Float", "low": 0.0, "high": 1.0, "step": 0.3}, FloatDistribution(0.0, 0.9, step=0.3)),
        ({"type": "Float", "low": 0.1, "high": 0.7, "step": 0.2}, FloatDistribution(0.1, 0.7, step=0.2)),
        ({"type": "Float", "low": 1e-5, "high": 0.1, "scale": "Log"}, FloatDistribution(1e-5, 0.1, log=True)),
        ({"type": "Int", "low": 1, "high": 10, "step": 4}, IntDistribution(1, 9, step=4)),
        ({"type": "Int", "low": 16, "high": 256, "scale": "Log"}, IntDistribution(16, 256, log=True)),
        ({"type": "Categorical", "choices": ["a", 1, 0.5, False]}, CategoricalDistribution(["a", 1, 0.5, False])),
        ({"type": "Categorical", "choices": [1, True]}, CategoricalDistribution(["1", "true"])),
    ],
)
def test_a_parameter_becomes_a_distribution(parameter: Mapping[str, Any], expected: object) -> None:
    assert distribution(Parameter.model_validate({"name": "x", **parameter})) == expected


def test_choices_that_only_json_can_tell_apart_keep_their_types() -> None:
    space = Space([Parameter.model_validate({"name": "x", "type": "Categorical", "choices": [1, True, "1"]})])
    for choice in (1, True, "1"):
        typed = space.typed(space.stored({"x": choice}))["x"]
        assert (typed, type(typed)) == (choice, type(choice))


def test_an_enqueued_whole_number_is_a_float_where_the_parameter_is() -> None:
    spec = study_spec(({"name": "x", "type": "Float", "low": 0.0, "high": 2.0},), {"enqueue": [{"x": 1}], "seed": 1})
    (trial,) = Drafting(spec).ask(1)
    assert (trial["x"], type(trial["x"])) == (1.0, float)


def test_a_space_of_fixed_parameters_alone_can_be_asked() -> None:
    assert Drafting(study_spec(({"name": "x", "type": "Fixed", "value": "only"},))).ask(2) == [{"x": "only"}] * 2


def test_a_stepped_value_reaches_the_trainer_without_the_dust_of_binary_fractions() -> None:
    parameter = Parameter.model_validate({"name": "x", "type": "Float", "low": 0.05, "high": 0.5, "step": 0.05})
    assert Space([parameter]).typed({"x": 0.05 + 2 * 0.05}) == {"x": 0.15}
