from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.fake_operator import FakeOperator
from tests.trainer.scripts import Script
from tuning_operator.api.yaml_files import load_study
from tuning_trainer.command_line import parse
from tuning_trainer.tasks.parameters import read_all
from tuning_trainer.tasks.registry import TASKS
from tuning_trainer.testing import fake_study

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
MAIN = "import sys\nfrom tuning_trainer.command_line import main\nmain({arguments!r})\n"
STAND_IN = """\
from dataclasses import replace
from tuning_trainer.tasks.registry import TASKS
def train(trial, parameters):
    trial.report({"n_estimators": parameters["n_estimators"], "max_depth": parameters["max_depth"]}, step=1)
TASKS["iris-forest"] = replace(TASKS["iris-forest"], train=train)
"""


def usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as raised:
        parse(arguments)
    assert raised.value.code == 2
    return capsys.readouterr().err


def test_help_lists_the_tasks_and_loads_no_training_library() -> None:
    script = (
        "import sys\nfrom tuning_trainer.command_line import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'torch', 'sklearn', 'numpy'} & set(sys.modules)))"
    )
    for arguments in (["--help"], ["--task=digits-mlp", "--help"]):
        result = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
        assert result.stdout.splitlines()[-1] == "[]"
        assert "digits-mlp" in result.stdout


def test_help_of_a_task_names_each_parameter_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    for task in TASKS.values():
        with pytest.raises(SystemExit) as raised:
            parse([f"--task={task.name}", "--help"])
        assert raised.value.code == 0
        shown = capsys.readouterr().out
        for parameter in task.parameters:
            assert "--" + parameter.name.replace("_", "-") in shown
            assert f"(default: {parameter.default})" in " ".join(shown.split())


def test_a_missing_an_unknown_task_and_an_unknown_flag_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--task is missing; the tasks are digits-mlp, digits-lr-range, iris-forest" in usage_error([], capsys)
    assert "there is no task 'mnist'; the tasks are" in usage_error(["--task", "mnist"], capsys)
    assert "--layers=3" in usage_error(["--task=digits-mlp", "--layers=3"], capsys)


def test_flags_have_the_parameters_names_with_hyphens() -> None:
    task, flags = parse(["--task=digits-mlp", "--learning-rate=0.01", "--hidden-layers", "3"])
    assert task.name == "digits-mlp"
    values = read_all(task.parameters, flags)
    assert (values["learning_rate"], values["hidden_layers"], values["optimizer"]) == (0.01, 3, "adam")


def test_a_flag_comes_before_the_trials_parameter_and_that_before_the_default(
    operator: FakeOperator, script: Script
) -> None:
    main = STAND_IN + MAIN.format(arguments=["--task=iris-forest", "--n-estimators=7"])
    result = script.run(main, parameters={"n_estimators": 3, "max_depth": 4.5})
    assert result.returncode == 0, result.stderr
    assert result.stderr == "step 1: n_estimators=7 max_depth=4.5\n", "a pod's log shows its reports"
    script.run(main)
    assert [report.values for report in operator.reports] == [
        {"n_estimators": 7, "max_depth": 4.5},
        {"n_estimators": 7, "max_depth": 5.0},
    ]


@pytest.mark.parametrize(
    ("flags", "parameters", "says"),
    [
        (["--n-estimators=many"], {}, "n_estimators is 'many', which is not a whole number"),
        (["--n-estimators=0"], {}, "n_estimators is 0, but must be from 1 to 1000"),
        ([], {"max_depth": "deep"}, "max_depth is 'deep', which is not a number"),
        ([], {"n_estimatorz": 3}, "there is no parameter 'n_estimatorz'; this task has max_depth, n_estimators"),
    ],
)
def test_a_bad_value_is_a_sentence_and_status_2(
    script: Script, flags: list[str], parameters: dict[str, Any], says: str
) -> None:
    result = script.run(MAIN.format(arguments=["--task=iris-forest", *flags]), parameters=parameters)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith(says)


def test_a_training_that_can_come_to_nothing_is_a_sentence_and_status_1_outside_a_study_too(script: Script) -> None:
    main = (
        "from dataclasses import replace\nimport tuning_trainer as tuning\n"
        "from tuning_trainer.tasks.registry import TASKS\n"
        "def train(trial, parameters):\n    raise tuning.TrialFailed('too few flowers')\n"
        "TASKS['iris-forest'] = replace(TASKS['iris-forest'], train=train)\n"
    ) + MAIN.format(arguments=["--task=iris-forest"])
    for result, shown in (
        (script.run_outside_a_study(main), "the training failed: too few flowers\n"),
        (script.run(main), "the trial failed: too few flowers\n"),
    ):
        assert (result.returncode, result.stderr) == (1, shown)


def test_a_task_without_folds_refuses_a_cross_validation(script: Script) -> None:
    result = script.run(MAIN.format(arguments=["--task=digits-mlp"]), folds=3)
    assert result.returncode == 2
    assert "trial.repeats instead of trial.folds" in result.stderr


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_task_of_an_example_has_its_parameters_and_objective(path: Path) -> None:
    spec = load_study(path)["spec"]
    (container,) = spec["trial"]["template"]["spec"]["containers"]
    if container["command"] != ["python", "-m", "tuning_trainer"]:
        return
    task, flags = parse(container["args"])
    assert spec["objectives"][0]["metric"] in task.summary
    for pick in ("low", "high"):
        suggested = {
            parameter["name"]: parameter.get("value", parameter.get(pick, (parameter.get("choices") or [None])[0]))
            for parameter in spec["parameters"]
        }
        with fake_study(suggested):
            read_all(task.parameters, {**suggested, **flags})
