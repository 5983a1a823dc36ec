from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import STUDY, spec, spec_document
from tuning_contract import TrialEnvironment
from tuning_operator.api.trial_template import MAX_RUNS
from tuning_operator.decisions.report_access import ReportAccess
from tuning_operator.decisions.trial_job import sample_trial, trial_job
from tuning_operator.decisions.trial_runs import base_seed
from tuning_operator.decisions.trials import OpenTrial
from tuning_operator.local.commands import expand

GOLDEN = Path(__file__).parent / "golden"
TRIAL = OpenTrial(
    number=7, parameters={"lr": 0.003, "layers": 2, "name": "a$(HOME)b", "bias": True}, attempt=2, seed=99
)

ACCESS = ReportAccess("http://operator/v1/reports", "secret")


def template(**container: Any) -> dict[str, Any]:
    trainer = {"name": "trainer", "image": "trainer:1", "args": ["--lr=$(PARAM_lr)"], **container}
    sidecar = {"name": "sidecar", "image": "sidecar:1"}
    return {"metadata": {"labels": {"team": "a"}}, "spec": {"containers": [sidecar, trainer]}}


def manifest(checkpoints: dict[str, str] | None = None, **container: Any) -> dict[str, Any]:
    trial = {"template": template(**container), "ttlAfterFinished": "10m", "checkpoints": checkpoints}
    return trial_job(STUDY, spec(trial=trial), TRIAL, ACCESS)


def assert_golden(name: str, made: dict[str, Any], update: bool) -> None:
    if update:
        (GOLDEN / name).write_text(yaml.safe_dump(made, sort_keys=False))
    assert made == yaml.safe_load((GOLDEN / name).read_text())


def test_the_job_is_the_one_that_was_agreed_on(update_golden: bool) -> None:
    made = manifest(env=[{"name": "DATA", "value": "/data"}])
    assert_golden("trial_job.yaml", made, update_golden)


def test_the_job_with_checkpoints_is_the_one_that_was_agreed_on(update_golden: bool) -> None:
    made = manifest(
        checkpoints={"claimName": "shared"},
        securityContext={"readOnlyRootFilesystem": True},
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    assert_golden("trial_job_with_checkpoints.yaml", made, update_golden)


def test_the_job_of_several_runs_is_the_one_that_was_agreed_on(update_golden: bool) -> None:
    trial = {"template": template(), "folds": 3, "repeats": 2, "checkpoints": {"claimName": "shared"}}
    assert_golden("trial_job_with_runs.yaml", trial_job(STUDY, spec(trial=trial), TRIAL, ACCESS), update_golden)


def test_a_job_has_no_more_pods_at_once_than_the_study_allows() -> None:
    made = trial_job(STUDY, spec(trial={"template": template(), "folds": 3, "parallelRuns": 2}), TRIAL, ACCESS)
    assert (made["spec"]["completions"], made["spec"]["parallelism"]) == (3, 2)


def test_each_runs_variables_are_its_own_once_kubernetes_has_expanded_them() -> None:
    made = trial_job(STUDY, spec(trial={"template": template(), "folds": 12}), TRIAL, ACCESS)
    (index, *entries) = made["spec"]["template"]["spec"]["containers"][1]["env"]
    assert index["valueFrom"]["fieldRef"]["fieldPath"].endswith("['batch.kubernetes.io/job-completion-index']")
    environments = []
    for run in range(12):
        variables = {"TUNING_RUN": str(run)}
        for entry in entries:
            variables[entry["name"]] = expand(entry["value"], variables)
        environments.append(TrialEnvironment.read(variables))
    found = [environment for environment in environments if environment is not None]
    assert [(each.run, each.folds) for each in found] == [(run, 12) for run in range(12)]
    assert [each.report_url for each in found] == [f"{ACCESS.url}?run={run}" for run in range(12)]
    assert len({each.seed for each in found}) == 12
    assert all(0 <= (each.seed or 0) < 2**31 for each in found)
    assert {each.parameters["name"] for each in found} == {"a$(HOME)b"}


def test_a_job_names_the_only_objective_or_all_of_several() -> None:
    def named(*metrics: str) -> dict[str, str]:
        objectives = [{"metric": metric, "direction": "Maximize"} for metric in metrics]
        made = trial_job(STUDY, spec(trial={"template": template()}, objectives=objectives), TRIAL, ACCESS)
        entries = made["spec"]["template"]["spec"]["containers"][1]["env"]
        return {entry["name"]: entry["value"] for entry in entries if entry["name"].startswith("TUNING_OBJECTIVE")}

    assert named("accuracy") == {"TUNING_OBJECTIVE": "accuracy"}
    assert named("accuracy", "latency") == {"TUNING_OBJECTIVES": '["accuracy", "latency"]'}


def test_the_largest_seed_has_room_for_the_largest_run() -> None:
    assert int(f"{base_seed(2**31 - 1, MAX_RUNS)}{MAX_RUNS - 1}") < 2**31
    assert not str(base_seed(0, 2)).startswith("0")


def test_the_trials_variables_come_first_and_only_in_the_trainer() -> None:
    pod = manifest(env=[{"name": "DATA", "value": "$(PARAM_lr)"}])["spec"]["template"]
    sidecar, trainer = pod["spec"]["containers"]
    assert "env" not in sidecar
    names = [variable["name"] for variable in trainer["env"]]
    assert names[0] == "PARAM_lr"
    assert names[-1] == "DATA"


def test_a_parameters_text_is_not_expanded() -> None:
    trainer = manifest()["spec"]["template"]["spec"]["containers"][1]
    values = {variable["name"]: variable["value"] for variable in trainer["env"]}
    assert values["PARAM_name"] == "a$$(HOME)b"
    assert json.loads(values["TUNING_PARAMETERS"].replace("$$", "$"))["name"] == "a$(HOME)b"


@pytest.mark.parametrize("text", ["x$$y", "$$(PARAM_lr)", "$(PARAM_lr)", "$", "a$b", "$$$"])
@pytest.mark.parametrize("runs", [1, 3])
def test_a_parameters_text_arrives_as_it_is_once_kubernetes_has_expanded_it(text: str, runs: int) -> None:
    trial = OpenTrial(number=7, parameters={"lr": 0.003, "name": text})
    made = trial_job(STUDY, spec(trial={"template": template(), "repeats": runs}), trial, ACCESS)
    variables = {"TUNING_RUN": "0"}
    for entry in made["spec"]["template"]["spec"]["containers"][1]["env"]:
        if "value" in entry:
            variables[entry["name"]] = expand(entry["value"], variables)
    assert variables["PARAM_name"] == text
    environment = TrialEnvironment.read(variables)
    assert environment is not None
    assert environment.parameters["name"] == text


def test_the_users_template_is_left_as_it_is() -> None:
    document = spec_document(trial={"template": template()})
    before = json.dumps(document)
    trial_job(STUDY, spec(trial=document["trial"]), TRIAL, ACCESS)
    assert json.dumps(document) == before


def test_a_template_may_ask_for_the_service_accounts_token() -> None:
    pod = template()
    pod["spec"]["automountServiceAccountToken"] = True
    made = trial_job(STUDY, spec(trial={"template": pod}), TRIAL, ACCESS)
    assert made["spec"]["template"]["spec"]["automountServiceAccountToken"] is True


def test_a_sample_trial_has_an_allowed_value_of_each_parameter() -> None:
    parameters = [
        {"name": "a", "type": "Float", "low": 0.5, "high": 1},
        {"name": "b", "type": "Int", "low": 2, "high": 5},
        {"name": "c", "type": "Categorical", "choices": [False, True]},
        {"name": "d", "type": "Fixed", "value": "x"},
    ]
    study_spec = spec(parameters=parameters)
    values = sample_trial(study_spec).parameters
    assert all(parameter.contains(values[parameter.name]) for parameter in study_spec.parameters)
    assert isinstance(values["b"], int)


def conditional(*otherwise: Any) -> dict[str, Any]:
    """A Float that depends on the optimiser."""
    when = {"parameter": "optimizer", "in": ["sgd"], **({"otherwise": otherwise[0]} if otherwise else {})}
    return {"name": "momentum", "type": "Float", "low": 0.1, "high": 1, "when": when}


def variables_of(parameter: dict[str, Any], **parameters: Any) -> dict[str, str]:
    parameters_ = [{"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]}, parameter]
    trial = OpenTrial(number=1, parameters=parameters)
    made = trial_job(STUDY, spec(parameters=parameters_), trial, ACCESS)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_a_parameter_that_a_trial_has_not_is_a_variable_with_what_it_is_otherwise() -> None:
    without = variables_of(conditional(0), optimizer="adam")
    assert without["PARAM_momentum"] == "0.0"
    assert json.loads(without["TUNING_PARAMETERS"]) == {"optimizer": "adam"}
    having = variables_of(conditional(0), optimizer="sgd", momentum=0.5)
    assert having["PARAM_momentum"] == "0.5"
    assert json.loads(having["TUNING_PARAMETERS"]) == {"optimizer": "sgd", "momentum": 0.5}


def test_a_parameter_that_a_trial_has_not_is_no_variable_unless_it_is_something_otherwise() -> None:
    assert "PARAM_momentum" not in variables_of(conditional(), optimizer="adam")


def test_a_sample_trial_has_no_parameter_whose_condition_does_not_hold_in_it() -> None:
    optimizer = {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]}
    assert sample_trial(spec(parameters=[optimizer, conditional()])).parameters == {"optimizer": "adam"}
    optimizer["choices"] = ["sgd", "adam"]
    assert sample_trial(spec(parameters=[optimizer, conditional()])).parameters == {"optimizer": "sgd", "momentum": 0.1}


def test_a_pod_with_a_token_of_its_own_gets_it_as_a_file_and_nothing_secret_in_its_variables() -> None:
    access = ReportAccess("https://operator/v1/reports", audience="https://operator", ca="PEM")
    study_spec = spec(trial={"template": template(volumeMounts=[{"name": "data", "mountPath": "/data"}])})
    pod = trial_job(STUDY, study_spec, TRIAL, access)["spec"]["template"]["spec"]
    sidecar, trainer = pod["containers"]
    (volume,) = pod["volumes"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "https://operator"
    mount = trainer["volumeMounts"][1]
    assert mount == {"name": volume["name"], "mountPath": mount["mountPath"], "readOnly": True}
    values = {variable["name"]: variable["value"] for variable in trainer["env"]}
    assert values["TUNING_REPORT_TOKEN_FILE"].startswith(mount["mountPath"] + "/")
    assert values["TUNING_REPORT_CA"] == "PEM"
    assert "TUNING_REPORT_TOKEN" not in values
    assert "volumeMounts" not in sidecar
    assert pod["automountServiceAccountToken"] is False
