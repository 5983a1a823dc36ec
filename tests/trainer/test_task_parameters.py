from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuning_trainer.tasks.parameters import ChoiceParameter, FloatParameter, IntParameter, Parameter, read_all
from tuning_trainer.tasks.registry import TASKS

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Machines that run tests are busy."""
RATE = FloatParameter("rate", 0.1, 0.0, 1.0, "learning rate")
LAYERS = IntParameter("layers", 2, 1, 8, "layers")
OPTIMIZER = ChoiceParameter("optimizer", "adam", ("adam", "sgd"), "optimiser")


@pytest.mark.parametrize(
    ("parameter", "value", "read"),
    [
        (RATE, "1e-2", 0.01),
        (RATE, 1, 1.0),
        (RATE, 0.0, 0.0),
        (LAYERS, "3", 3),
        (LAYERS, 3.0, 3),
        (LAYERS, "8", 8),
        (OPTIMIZER, "sgd", "sgd"),
    ],
)
def test_flags_and_parameters_are_read_alike(parameter: Parameter, value: Any, read: Any) -> None:
    result = parameter.read(value)
    assert (type(result), result) == (type(read), read)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (RATE, "nan"),
        (RATE, "inf"),
        (RATE, -0.1),
        (RATE, "fast"),
        (RATE, None),
        (LAYERS, 2.5),
        (LAYERS, "2.5"),
        (LAYERS, "nan"),
        (LAYERS, "inf"),
        (LAYERS, 0),
        (LAYERS, 9),
        (LAYERS, []),
        (OPTIMIZER, "lion"),
        (OPTIMIZER, 3),
    ],
)
def test_what_does_not_fit_is_refused_by_name(parameter: Parameter, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{parameter.name} is"):
        parameter.read(value)


@unhurried
@given(st.sampled_from([RATE, LAYERS, OPTIMIZER]), st.text() | st.floats() | st.integers() | st.none() | st.booleans())
def test_any_value_fits_or_is_a_value_error(parameter: Parameter, value: Any) -> None:
    try:
        read = parameter.read(value)
    except ValueError:
        return
    assert parameter.read(read) == read


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_the_defaults_of_a_task_fit_its_own_limits(task: Any) -> None:
    defaults = {parameter.name: parameter.default for parameter in task.parameters}
    assert read_all(task.parameters, {}) == defaults
    assert read_all(task.parameters, {name: str(value) for name, value in defaults.items()}) == defaults
