"""Numbers, durations, curves and parameters as people read them."""

from __future__ import annotations

import math

import pytest

from tuning_operator.api.yaml_documents import documents
from tuning_operator.cli.formats import (
    decimals_for,
    parameter_text,
    scalar_text,
    seconds_text,
    sparkline,
    value_text,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0s"),
        (4.0, "4s"),
        (4.04, "4.0s"),
        (0.44, "0.4s"),
        (9.97, "10s"),
        (59.6, "1m00s"),
        (65, "1m05s"),
        (7384, "2h03m"),
    ],
)
def test_durations_have_the_unit_that_suits_them(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.98, 0.1], ["0.9800", "0.1000"]),
        ([1234.5, None], ["1234.5", "–"]),
        ([31234567.0], ["3.123e+07"]),
        ([1.5e-7, 2e-6], ["1.500e-07", "2.000e-06"]),
        ([0.0], ["0.0000"]),
        ([math.inf, 1.0], ["inf", "1.0000"]),
    ],
)
def test_values_of_a_column_have_the_same_decimals(values: list[float | None], texts: list[str]) -> None:
    decimals = decimals_for(values)
    assert [value_text(value, decimals) for value in values] == texts


def test_parameters_have_three_significant_digits_and_json_words() -> None:
    assert [parameter_text(value) for value in (0.000123456, 128, True, "adam")] == ["0.000123", "128", "true", "adam"]


def test_a_curve_is_thinned_out_to_its_width_from_its_first_to_its_last_value() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, *[5] * 100, 10], 3) == "▁▅█"
    assert sparkline([3], 8) == "▄"
    assert sparkline([math.nan, 1, 2], 8) == "▁█"
    assert sparkline([math.nan], 8) == ""


@pytest.mark.parametrize("value", ["adam", "on", "y", "1e5", "null", "a: b", "", "ü", True, 3, 1e-5, 0.1, "12:30"])
def test_a_parameter_that_is_copied_is_read_back_as_the_same_value(value: bool | int | float | str) -> None:
    (document,) = documents(f"p: {scalar_text(value)}")
    assert document == {"p": value}
    assert type(document["p"]) is type(value)
