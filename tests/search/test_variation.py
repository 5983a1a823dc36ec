"""Changed parameters lie in the space, and are as near to the old ones as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.search.studies import study_spec
from tuning_contract.environment import ParameterValue
from tuning_operator.search.space import Space
from tuning_operator.search.strategies.variation import Variation

PARAMETERS: tuple[Mapping[str, Any], ...] = (
    {"name": "rate", "type": "Float", "low": 1e-4, "high": 1, "scale": "Log"},
    {"name": "late", "type": "Float", "low": 0.1, "high": 0.99, "scale": "ReverseLog"},
    {"name": "share", "type": "Float", "low": 0, "high": 1, "step": 0.25},
    {"name": "batch", "type": "Int", "low": 8, "high": 40, "step": 4},
    {"name": "units", "type": "Int", "low": 1, "high": 1000, "scale": "Log"},
    {"name": "mixed", "type": "Categorical", "choices": [1, True, "1"]},
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]},
    {
        "name": "momentum",
        "type": "Float",
        "low": 0,
        "high": 0.9,
        "when": {"parameter": "optimizer", "in": ["sgd"]},
    },
    {"name": "single", "type": "Int", "low": 3, "high": 3},
    {"name": "fixed", "type": "Fixed", "value": "x"},
)
SPACE = Space(study_spec(PARAMETERS).parameters)
TRIAL: dict[str, ParameterValue] = {
    "rate": 0.01,
    "late": 0.9,
    "share": 0.5,
    "batch": 32,
    "units": 5,
    "mixed": "1",
    "optimizer": "sgd",
    "momentum": 0.5,
    "single": 3,
}


def many(change: str, name: str, *more: Any, value: Any = None) -> set[Any]:
    """Return what a parameter's value becomes, a hundred times."""
    old = TRIAL[name] if value is None else value
    variation = Variation(SPACE)
    return {getattr(variation, change)(name, old, *more, np.random.default_rng(seed)) for seed in range(100)}


def test_only_parameters_with_several_values_that_a_trial_has_may_change() -> None:
    names = [name for name in TRIAL if name != "single"]
    assert Variation(SPACE).changeable(TRIAL) == names
    without = {name: value for name, value in TRIAL.items() if name != "momentum"}
    assert Variation(SPACE, ["momentum", "units", "fixed"]).changeable(without) == ["units"]


@pytest.mark.parametrize("name", [name for name in TRIAL if name != "single"])
def test_every_change_lies_in_the_space(name: str) -> None:
    (parameter,) = (each for each in SPACE.parameters if each.name == name)
    for drawn in (many("redrawn", name), many("perturbed", name), many("stepped", name, 10)):
        for value in drawn:
            assert parameter.contains(SPACE.value_of(parameter, {name: value})), value


def test_a_redrawn_value_is_another_one() -> None:
    assert many("redrawn", "optimizer") == {"adam"}
    assert many("redrawn", "mixed") == {"true", '"1"'}
    assert many("redrawn", "share") == {0.0, 0.25, 0.75, 1.0}


def test_numbers_are_perturbed_by_a_fifth_within_bounds_and_on_steps() -> None:
    assert many("perturbed", "rate") == {0.01 * 0.8, 0.01 * 1.2}
    assert many("perturbed", "rate", value=0.9) == {0.9 * 0.8, 1.0}
    assert many("perturbed", "batch") == {24, 40}
    assert many("perturbed", "batch", value=8) == {8, 12}
    assert many("perturbed", "units", value=1) == {1, 2}
    assert many("perturbed", "share") == {0.25, 0.75}
    assert many("perturbed", "optimizer") == {"sgd"}


def test_on_a_reverse_scale_the_distance_to_the_high_end_is_perturbed() -> None:
    nearer, farther = sorted(many("perturbed", "late"), reverse=True)
    assert 1.09 - nearer == pytest.approx((1.09 - 0.9) * 0.8)
    assert 1.09 - farther == pytest.approx((1.09 - 0.9) * 1.2)


def test_an_int_moves_by_any_number_of_steps_up_to_the_most_but_never_by_none() -> None:
    assert many("stepped", "batch", 2) == {24, 28, 36, 40}
    assert many("stepped", "batch", 10, value=8) == set(range(12, 41, 4))
    assert many("stepped", "batch", 1, value=40) == {36}


def test_a_float_that_is_to_move_always_moves() -> None:
    assert 1.0 not in many("stepped", "rate", 10, value=1.0)
    assert 0.0 not in many("stepped", "momentum", 10, value=0.0)


def test_parameters_that_a_changed_trial_has_no_more_are_left_out() -> None:
    changed = Variation(SPACE).fitting({**TRIAL, "optimizer": "adam"})
    assert changed == {name: value for name, value in {**TRIAL, "optimizer": "adam"}.items() if name != "momentum"}


def test_a_completed_trial_has_the_given_values_and_random_ones_of_what_else_it_needs() -> None:
    variation = Variation(SPACE)
    given = {name: value for name, value in TRIAL.items() if name != "momentum"}
    drawn = [variation.completed(given, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(each == {**given, "momentum": each["momentum"]} for each in drawn)
    adam = {**TRIAL, "optimizer": "adam"}
    assert variation.completed(adam, np.random.default_rng(1)) == variation.fitting(adam)


def test_changes_are_told_in_words() -> None:
    variation = Variation(SPACE)
    changed = {**TRIAL, "batch": 36, "mixed": "true"}
    assert variation.changes(TRIAL, changed) == "batch was changed from 32 to 36, mixed was changed from 1 to true"
    assert variation.changes(TRIAL, TRIAL) == "nothing has changed"
