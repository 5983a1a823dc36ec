from __future__ import annotations

import pytest

from tests.trainer.fake_operator import FakeOperator
from tests.trainer.scripts import Script

REPORT = """\
import tuning_trainer as tuning
trial = tuning.current_trial(defaults={"layers": 2, "rate": 0.1})
trial.report({"loss": 0.123456789, "accuracy": 1}, step=1)
print(sorted(trial.parameters.items()), trial.should_prune())
"""


def test_a_study_overrides_the_defaults(operator: FakeOperator, script: Script) -> None:
    result = script.run(REPORT, parameters={"layers": 3, "units": 64}, report_token="secret")
    assert result.stdout == "[('layers', 3), ('rate', 0.1), ('units', 64)] False\n"
    assert result.stderr == ""
    assert operator.reports[0].values == {"loss": 0.123456789, "accuracy": 1.0}
    assert set(operator.authorizations) == {"Bearer secret"}


def test_outside_a_study_a_script_runs_as_it_is(script: Script) -> None:
    result = script.run_outside_a_study(REPORT)
    assert (result.returncode, result.stdout) == (0, "[('layers', 2), ('rate', 0.1)] False\n")
    assert result.stderr == "step 1: loss=0.123457 accuracy=1\n"


def test_a_study_without_a_report_address_prints_the_reports(script: Script) -> None:
    result = script.run(REPORT, report_url=None)
    assert (result.returncode, result.stderr) == (0, "step 1: loss=0.123457 accuracy=1\n")


def test_every_call_returns_the_same_trial_and_adds_its_defaults(script: Script) -> None:
    result = script.run_outside_a_study(
        "import tuning_trainer as tuning\n"
        "first = tuning.current_trial({'a': 1})\n"
        "assert tuning.current_trial({'a': 2, 'b': 3}) is first\n"
        "print(sorted(first.parameters.items()))"
    )
    assert result.stdout == "[('a', 1), ('b', 3)]\n"


def test_the_checkpoint_directory_exists_when_the_script_gets_it(script: Script) -> None:
    directory = script.path.parent / "checkpoints" / "3"
    text = "import tuning_trainer as tuning\nprint(tuning.current_trial().checkpoint_dir.is_dir())"
    assert script.run(text, checkpoint_dir=str(directory)).stdout == "True\n"


def test_only_rank_zero_reports(operator: FakeOperator, script: Script) -> None:
    assert script.run(REPORT, environ={"RANK": "1"}).returncode == 0
    assert operator.batches == []
    assert script.run(REPORT, environ={"RANK": "0"}).returncode == 0
    assert operator.steps == [1]


@pytest.mark.parametrize("name", ["TUNING_PARAMETERS", "TUNING_REPORT_URL"])
def test_an_unreadable_environment_stops_the_script_with_a_sentence(script: Script, name: str) -> None:
    result = script.run(REPORT, environ={name: "{"})
    assert result.returncode == 1
    assert f"TrialEnvironmentError: {name} is" in result.stderr
