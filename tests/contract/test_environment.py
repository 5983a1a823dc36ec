from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuning_contract import CONTRACT_VERSION, TrialEnvironment, TrialEnvironmentError
from tuning_contract.environment import RESERVED_PREFIXES, ParameterValue, parameter_text

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Machines that run tests are busy."""
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
"""What an environment variable can hold."""
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,62}", fullmatch=True)
scalars = st.one_of(texts, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
counts = st.integers(min_value=0, max_value=2**31 - 1)
environments = st.builds(
    TrialEnvironment,
    study=texts,
    namespace=texts,
    trial=counts,
    parameters=st.dictionaries(names, scalars, max_size=8),
    run=counts,
    folds=st.none() | counts,
    attempt=st.integers(min_value=1, max_value=1000),
    report_url=st.none() | texts,
    report_token=st.none() | texts,
    report_token_file=st.none() | texts,
    report_ca=st.none() | texts,
    checkpoint_dir=st.none() | texts,
    resume_from=st.none() | texts,
    seed=st.none() | counts,
    budget=st.none() | counts,
    objective=st.none() | texts,
    objectives=st.lists(texts, max_size=4).map(tuple),
)
SMALL = TrialEnvironment(study="digits", namespace="team", trial=3, parameters={"layers": 2})


@unhurried
@given(environments)
def test_the_sdk_reads_what_the_operator_writes(environment: TrialEnvironment) -> None:
    read = TrialEnvironment.read(environment.variables())
    assert read == environment
    assert read is not None
    assert [type(value) for value in read.parameters.values()] == [
        type(environment.parameters[name]) for name in read.parameters
    ]


@unhurried
@given(environments)
def test_every_variable_begins_with_a_reserved_prefix_and_is_text(environment: TrialEnvironment) -> None:
    for name, value in environment.variables().items():
        assert name.startswith(RESERVED_PREFIXES)
        assert isinstance(value, str)


def test_each_parameter_is_a_variable_of_its_own() -> None:
    parameters: dict[str, ParameterValue] = {"optimizer": "adam", "layers": 2, "rate": 1e-5, "nesterov": True}
    variables = replace(SMALL, parameters=parameters).variables()
    assert {name: variables["PARAM_" + name] for name in parameters} == {
        "optimizer": "adam",
        "layers": "2",
        "rate": "1e-05",
        "nesterov": "true",
    }


@unhurried
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_as_text(number: float) -> None:
    assert float(parameter_text(number)) == number
    assert math.copysign(1, float(parameter_text(number))) == math.copysign(1, number)


def test_outside_a_study_there_is_no_trial() -> None:
    assert TrialEnvironment.read({"PATH": "/bin", "PARAM_layers": "2"}) is None


@pytest.mark.parametrize("name", ["TUNING_STUDY", "TUNING_NAMESPACE", "TUNING_PARAMETERS", "TUNING_CONTRACT"])
def test_a_missing_variable_is_named(name: str) -> None:
    variables = SMALL.variables()
    del variables[name]
    with pytest.raises(TrialEnvironmentError, match=f"{name} is not set"):
        TrialEnvironment.read(variables)


@pytest.mark.parametrize("name", ["TUNING_TRIAL", "TUNING_RUN", "TUNING_ATTEMPT", "TUNING_SEED", "TUNING_BUDGET"])
def test_a_variable_that_is_no_whole_number_is_named(name: str) -> None:
    with pytest.raises(TrialEnvironmentError, match=f"{name} is 'seven', which is not a whole number"):
        TrialEnvironment.read({**SMALL.variables(), name: "seven"})


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", "3", '{"a": null}', '{"a": []}', '{"a": {}}', "[" * 100_000, '{"a": 1' + "0" * 5000 + "}"],
)
def test_unreadable_parameters_are_named(text: str) -> None:
    with pytest.raises(TrialEnvironmentError, match="TUNING_PARAMETERS"):
        TrialEnvironment.read({**SMALL.variables(), "TUNING_PARAMETERS": text})


@pytest.mark.parametrize("text", ["loss", "3", '{"loss": 1}', "[1]", "[" * 100_000])
def test_unreadable_objectives_are_named(text: str) -> None:
    with pytest.raises(TrialEnvironmentError, match="TUNING_OBJECTIVES"):
        TrialEnvironment.read({**SMALL.variables(), "TUNING_OBJECTIVES": text})


def test_another_contract_is_refused_with_a_way_out() -> None:
    variables = {**SMALL.variables(), "TUNING_CONTRACT": str(CONTRACT_VERSION + 1)}
    with pytest.raises(TrialEnvironmentError, match="install the tuning-operator package of the operator's version"):
        TrialEnvironment.read(variables)


def test_unknown_variables_of_a_newer_operator_are_ignored() -> None:
    assert TrialEnvironment.read({**SMALL.variables(), "TUNING_NOVELTY": "1"}) == SMALL


def test_a_token_does_not_show_in_logs() -> None:
    assert "secret" not in repr(replace(SMALL, report_token="secret"))


def test_parameters_are_one_stable_json_object() -> None:
    variables = replace(SMALL, parameters={"b": 1, "a": "x"}).variables()
    assert variables["TUNING_PARAMETERS"] == json.dumps({"a": "x", "b": 1})
