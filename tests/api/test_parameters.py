"""Which values a parameter can take."""

from __future__ import annotations

from typing import Any

import pytest

from tuning_operator.api.parameters import Parameter


def _parameter(**fields: Any) -> Parameter:
    return Parameter.model_validate({"name": "x", **fields})


@pytest.mark.parametrize("value", [0, 0.1, 0.30000000000000004, 0.7, 1, 1.0])
def test_a_stepped_float_contains_its_grid_up_to_rounding(value: float) -> None:
    assert _parameter(type="Float", low=0, high=1, step=0.1).contains(value)


@pytest.mark.parametrize("value", [0.05, -0.1, 1.1, True, "0.1", None, float("nan"), float("inf"), [0.1]])
def test_a_stepped_float_contains_nothing_else(value: Any) -> None:
    assert not _parameter(type="Float", low=0, high=1, step=0.1).contains(value)


def test_the_whole_range_of_floats_does_not_overflow() -> None:
    parameter = _parameter(type="Float", low=-1e300, high=1e300, step=1e290)
    assert parameter.contains(-1e300)
    assert parameter.contains(1e300)
    assert not parameter.contains(5e289)


def test_an_int_contains_whole_numbers_of_its_range() -> None:
    parameter = _parameter(type="Int", low=1, high=9, step=2)
    assert [value for value in range(12) if parameter.contains(value)] == [1, 3, 5, 7, 9]
    assert parameter.contains(3.0)
    assert not parameter.contains(3.5)
    assert not parameter.contains(True)


def test_a_categorical_tells_true_from_one() -> None:
    parameter = _parameter(type="Categorical", choices=[1, "a", False])
    assert [value for value in (1, 1.0, True, "a", False, 0, "1", None) if parameter.contains(value)] == [
        1,
        1.0,
        "a",
        False,
    ]
    assert not parameter.contains(True)
    assert not parameter.contains(0)


def test_conditions_of_many_values_on_many_choices_are_checked_without_comparing_each_with_each() -> None:
    compared = 0

    class Choice(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    choices = [f"choice-{number}" for number in range(1000)]
    parameter = _parameter(type="Categorical", choices=choices)
    assert all(parameter.contains(Choice(choice)) for choice in choices)
    assert compared < 2 * len(choices)


def test_a_fixed_parameter_contains_its_value_alone() -> None:
    parameter = _parameter(type="Fixed", value=True)
    assert parameter.contains(True)
    assert not parameter.contains(1)


def test_an_int_contains_exact_multiples_of_a_large_step_only() -> None:
    parameter = _parameter(type="Int", low=0, high=2**52, step=2**40)
    assert parameter.contains(2**50)
    assert not parameter.contains(2**50 + 1)


@pytest.mark.parametrize(("low", "high", "step"), [(0, 1, 1e-15), (-1e9, 0, 1e-7), (0, 1e300, 1.0)])
def test_a_step_that_floats_cannot_tell_apart_is_refused(low: float, high: float, step: float) -> None:
    with pytest.raises(ValueError, match="is too small for floating-point numbers as large as"):
        _parameter(type="Float", low=low, high=high, step=step)
