from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
import torch

import tuning_trainer as tuning
from tests.trainer.fake_operator import FakeOperator
from tests.trainer.scripts import Script
from tuning_contract import FinalState, ParameterRequest, TrialEnd
from tuning_contract.environment import ParameterValue
from tuning_trainer.channels import SilentReports
from tuning_trainer.testing import fake_study


class Named:
    """Gives parameters that code names these values."""

    def __init__(self, values: dict[str, ParameterValue]) -> None:
        self._values = values
        self.requests: list[ParameterRequest] = []

    def ask(self, request: ParameterRequest) -> ParameterValue:
        self.requests.append(request)
        return self._values[request.name]


PARAMETERS: dict[str, ParameterValue] = {"rate": 0.01, "layers": 3, "optimizer": "adam"}


def objective(trial: Any) -> float:
    """An objective as Optuna's users write it."""
    rate: float = trial.suggest_float("rate", 1e-5, 1e-1, log=True)
    layers: int = trial.suggest_int("layers", 1, 4)
    optimizer: str = trial.suggest_categorical("optimizer", ["sgd", "adam"])
    trial.set_user_attr("parameters", layers * 64)
    for epoch in range(5):
        trial.report(rate * layers + epoch, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return rate * layers + len(optimizer)


def test_an_objective_runs_unchanged() -> None:
    with fake_study(PARAMETERS, objective="loss") as study:
        trial = tuning.optuna_trial()
        trial.complete(objective(trial))
    assert objective(optuna.trial.FixedTrial(PARAMETERS)) == study.values("loss")[-1]
    assert [report.step for report in study.reports] == [1, 2, 3, 4, 5, 6], "Optuna counts from 0, a study from 1"
    assert study.end == TrialEnd(FinalState.COMPLETE)
    assert (trial.params, trial.user_attrs, trial.number) == (PARAMETERS, {"parameters": 192}, 0)


def test_an_objective_that_is_pruned_stops() -> None:
    with fake_study(PARAMETERS, prune_at=3) as study:
        objective(tuning.optuna_trial())
    assert [report.step for report in study.reports] == [1, 2, 3]
    assert study.end == TrialEnd(FinalState.PRUNED)


def test_an_objective_without_intermediate_values_reports_its_result() -> None:
    with fake_study(objective="loss") as study:
        tuning.optuna_trial().complete(0.25)
    assert [(report.step, report.values) for report in study.reports] == [(1, {"loss": 0.25})]


def test_only_the_first_value_of_a_step_counts_as_with_optuna(caplog: pytest.LogCaptureFixture) -> None:
    with fake_study() as study:
        trial = tuning.optuna_trial()
        trial.report(0.5, 0)
        trial.report(0.6, 0)
    assert study.values("value") == [0.5]
    assert "step 0 was reported already" in caplog.text


def test_steps_come_in_any_order_as_with_optuna(caplog: pytest.LogCaptureFixture) -> None:
    with fake_study() as study:
        trial = tuning.optuna_trial()
        for step in (7, 2, 5):
            trial.report(step / 10, step)
        trial.complete(0.9)
    assert [(report.step, report.values["value"]) for report in study.reports] == [
        (8, 0.7),
        (3, 0.2),
        (6, 0.5),
        (9, 0.9),
    ]
    assert caplog.text == ""


def test_what_is_asked_for_again_has_its_first_value_whatever_the_range(caplog: pytest.LogCaptureFixture) -> None:
    with fake_study({"layers": 7, "rate": 0.5, "optimizer": "adam"}):
        trial = tuning.optuna_trial()
        values = [trial.suggest_int("layers", 1, 10), trial.suggest_int("layers", 1, 10)]
        assert caplog.text == ""
        values += [
            trial.suggest_int("layers", 1, 3),
            trial.suggest_float("rate", 0, 1),
            trial.suggest_float("rate", 2, 3),
        ]
        values += [trial.suggest_categorical("optimizer", ["sgd", "adam"]) for _ in range(2)]
    assert values == [7, 7, 7, 0.5, 0.5, "adam", "adam"]
    assert "parameter 'layers' was asked for with another range before, which counts" in caplog.text


@pytest.mark.parametrize(
    "again",
    [lambda trial: trial.suggest_float("p", 1, 3), lambda trial: trial.suggest_categorical("p", [1, 2])],
)
def test_a_name_means_one_kind_of_parameter(again: Any) -> None:
    trial = tuning.OptunaTrial(tuning.Trial(None, SilentReports()))
    trial.suggest_int("p", 1, 3)
    with pytest.raises(tuning.ParameterError, match="asks for parameter 'p' twice"):
        again(trial)


def test_bounds_and_choices_may_be_numbers_of_numpy_and_pytorch() -> None:
    named = Named({"rate": 0.5, "layers": 3, "batch": 32, "flag": True})
    trial = tuning.OptunaTrial(tuning.Trial(None, SilentReports(), named_parameters=named))
    assert trial.suggest_float("rate", np.float32(0.25), torch.tensor(1.0)) == 0.5
    assert trial.suggest_int("layers", np.int64(1), np.int64(9), step=np.int64(2)) == 3
    assert trial.suggest_categorical("batch", np.array([16, 32])) == 32
    assert trial.suggest_categorical("flag", [np.bool_(False), np.bool_(True)])
    for request in named.requests:
        request.to_json()
    assert [request.choices for request in named.requests[2:]] == [(16, 32), (False, True)]


def test_functions_and_classes_are_known_to_the_study_by_their_names() -> None:
    named = Named({"activation": "torch.nn.modules.activation.Tanh", "other": "math.cos"})
    trial = tuning.OptunaTrial(tuning.Trial(None, SilentReports(), named_parameters=named))
    assert trial.suggest_categorical("activation", [torch.nn.ReLU, torch.nn.Tanh]) is torch.nn.Tanh
    assert trial.suggest_categorical("other", [math.sin, math.cos, None]) is math.cos
    assert named.requests[1].choices == ("math.sin", "math.cos", "None")


@pytest.mark.parametrize(
    ("choices", "expected"),
    [([object()], "a text that differs from process to process"), ([], "gives parameter 'p' no choices")],
)
def test_choices_that_are_none_are_an_error(choices: list[Any], expected: str) -> None:
    with fake_study({"p": 2}), pytest.raises(tuning.ParameterError, match=expected):
        tuning.optuna_trial().suggest_categorical("p", choices)


def test_optuna_s_old_names_of_suggest_float_still_work() -> None:
    with fake_study({"a": 0.5, "b": 0.01, "c": 0.3}):
        trial = tuning.optuna_trial()
        values = [trial.suggest_uniform("a", 0, 1), trial.suggest_loguniform("b", 1e-3, 1)]
        assert [*values, trial.suggest_discrete_uniform("c", 0, 1, 0.1)] == [0.5, 0.01, 0.3]


def test_constraints_are_reported_with_what_the_objective_returned(caplog: pytest.LogCaptureFixture) -> None:
    with fake_study(objective="loss") as study:
        trial = tuning.optuna_trial()
        trial.set_constraint("memory", -2)
        trial.set_constraint("memory", 5)
        trial.complete(0.25)
    assert [report.values for report in study.reports] == [{"loss": 0.25, "memory": -2.0}]
    assert "'memory' was set already" in caplog.text


def test_that_user_attributes_are_not_stored_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    trial = tuning.OptunaTrial(tuning.Trial(None, SilentReports()))
    trial.set_user_attr("parameters", 64)
    trial.set_user_attr("layers", 2)
    assert trial.user_attrs == {"parameters": 64, "layers": 2}
    assert caplog.text.count("stay in the training's process") == 1


def test_every_method_of_optuna_s_trial_is_there_or_says_why_not() -> None:
    trial = tuning.OptunaTrial(tuning.Trial(None, SilentReports()))
    missing = [name for name in dir(optuna.Trial) if not name.startswith("_") and not hasattr(trial, name)]
    assert missing == ["datetime_start", "distributions", "relative_params"]
    for name in (*missing, "study", "storage"):
        with pytest.raises(AttributeError, match="after the training, Optuna reads the study from the storage"):
            getattr(trial, name)


def test_outside_a_study_an_objective_gets_the_middle_and_the_first_choice() -> None:
    trial = tuning.OptunaTrial(tuning.Trial(None, SilentReports()))
    assert trial.suggest_float("a", 0, 1) == 0.5
    assert math.isclose(trial.suggest_float("b", 1e-4, 1e-2, log=True), 1e-3)
    assert (trial.suggest_int("c", 1, 4), trial.suggest_int("d", 1, 100, log=True)) == (2, 10)
    assert trial.suggest_categorical("e", ["sgd", "adam"]) == "sgd"


def test_numbers_arrive_in_the_type_that_was_asked_for() -> None:
    with fake_study({"a": 1, "b": 2.0, "c": 1, "d": True}):
        trial = tuning.optuna_trial()
        values = [
            trial.suggest_float("a", 0, 1),
            trial.suggest_int("b", 1, 4),
            trial.suggest_categorical("c", [True, 1]),
            trial.suggest_categorical("d", [1, True]),
        ]
    assert [(type(value), value) for value in values] == [(float, 1.0), (int, 2), (int, 1), (bool, True)]


@pytest.mark.parametrize(
    ("value", "ask"),
    [
        (0.2, lambda trial: trial.suggest_float("p", 0.3, 1.0)),
        ("adam", lambda trial: trial.suggest_float("p", 0.3, 1.0)),
        (True, lambda trial: trial.suggest_float("p", 0.0, 1.0)),
        (2.5, lambda trial: trial.suggest_int("p", 1, 4)),
        (5, lambda trial: trial.suggest_int("p", 1, 4)),
        (True, lambda trial: trial.suggest_int("p", 1, 4)),
        ("lion", lambda trial: trial.suggest_categorical("p", ["adam", "sgd"])),
    ],
)
def test_a_value_outside_what_the_objective_asks_for_is_an_error(value: Any, ask: Any) -> None:
    with (
        pytest.raises(tuning.ParameterError, match=f"gives parameter 'p' the value {value!r}"),
        fake_study({"p": value}) as study,
    ):
        ask(tuning.optuna_trial())
    assert study.end is not None
    assert study.end.state is FinalState.FAILED


def test_a_parameter_that_the_study_lacks_is_an_error_that_lists_what_it_has() -> None:
    with (
        fake_study({"rate": 0.1}),
        pytest.raises(tuning.ParameterError, match=r"no parameter 'layers' \(it has: rate\)"),
    ):
        tuning.optuna_trial().suggest_int("layers", 1, 4)


def test_a_bare_value_needs_to_know_its_metric() -> None:
    with fake_study(objective=None), pytest.raises(tuning.ReportError, match="TUNING_OBJECTIVE is not set"):
        tuning.optuna_trial().report(0.5, 0)


def test_the_metric_of_a_bare_value_comes_from_the_environment(operator: FakeOperator, script: Script) -> None:
    result = script.run("import tuning_trainer as t\nt.optuna_trial().complete(0.5)", objective="val_accuracy")
    assert result.returncode == 0, result.stderr
    assert [report.values for report in operator.reports] == [{"val_accuracy": 0.5}]


def test_an_objective_of_several_values_runs_unchanged(operator: FakeOperator, script: Script) -> None:
    text = "import tuning_trainer as t\nt.optuna_trial().complete((0.5, 12))"
    result = script.run(text, objectives=("val_accuracy", "latency_ms"))
    assert result.returncode == 0, result.stderr
    assert [report.values for report in operator.reports] == [{"val_accuracy": 0.5, "latency_ms": 12.0}]


def test_a_tuple_of_one_value_is_the_only_objective_s() -> None:
    with fake_study(objective="loss") as study:
        tuning.optuna_trial().complete((0.25,))
    assert study.values("loss") == [0.25]


@pytest.mark.parametrize(
    ("objectives", "returned", "expected"),
    [
        (["accuracy", "latency"], [0.5, 1, 2], r"returned 3 values, but .* the study has 2 \(accuracy, latency\)"),
        (["accuracy", "latency"], 0.5, r"returned 1 value, but .* the study has 2 \(accuracy, latency\): return one"),
        (["accuracy", "latency"], "12", r"returned 1 value, but .* the study has 2 \(accuracy, latency\)"),
        (["loss"], [0.5, 1, 2], r"returned 3 values, but .* the study has 1 \(loss\)"),
        (["loss"], (), r"returned 0 values, but .* the study has 1 \(loss\)"),
        (["accuracy", "latency"], (0.5, None), "None, which is not a number"),
    ],
)
def test_values_that_the_study_has_no_objectives_for_are_an_error(
    objectives: list[str], returned: Any, expected: str
) -> None:
    with pytest.raises(tuning.ReportError, match=expected), fake_study(objectives=objectives):
        tuning.optuna_trial().complete(returned)


@pytest.mark.parametrize("values", [np.array([0.5, 12]), torch.tensor([0.5, 12]), [np.float64(0.5), torch.tensor(12)]])
def test_arrays_and_tensors_of_values_count_one_by_one(values: Any) -> None:
    with fake_study(objectives=["accuracy", "latency"]) as study:
        tuning.optuna_trial().complete(values)
    assert [report.values for report in study.reports] == [{"accuracy": 0.5, "latency": 12.0}]


def test_what_is_returned_comes_after_all_that_was_reported_by_name() -> None:
    with fake_study(objectives=["accuracy", "latency"]) as study:
        trial = tuning.current_trial()
        trial.report({"accuracy": 0.1, "latency": 99}, step=5)
        trial.report({"accuracy": 0.2, "latency": 88}, step=10)
        tuning.optuna_trial().complete((0.5, 12))
    assert [report.step for report in study.reports] == [5, 10, 11]


def test_outside_a_study_several_values_are_printed_by_their_places(script: Script) -> None:
    result = script.run_outside_a_study("import tuning_trainer as t\nt.optuna_trial().complete((0.5, 12))")
    assert result.returncode == 0, result.stderr
    assert "values_0" in result.stdout + result.stderr
    assert "values_1" in result.stdout + result.stderr
