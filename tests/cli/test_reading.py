"""`tuning trials` and `tuning best` of local studies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.workplace import Workplace, study_document


@pytest.fixture
def ran(workplace: Workplace) -> Workplace:
    """A workplace in which two trials of three ran."""
    pruner = {"name": "Median", "options": {"nStartupTrials": 1, "nWarmupSteps": 0}}
    search = {"pruner": pruner, "enqueue": [{"x": 1, "kind": "on"}, {"x": 0, "kind": "a"}]}
    workplace.write(study_document("prune", maxTrials=2, parallelism=1, search=search))
    called = workplace.call("run", "study.yaml")
    assert called.status == 0, called.err
    return workplace


def test_trials_are_listed_with_state_value_and_parameters(ran: Workplace) -> None:
    called = ran.call("trials", "study.yaml")
    lines = [line.split() for line in called.out.splitlines()]
    assert lines[0] == ["#", "state", "score", "time", "x", "kind"]
    assert lines[2][:4] == ["0", "★", "best", "3.0000"]
    assert lines[2][5:] == ["1", "on"]
    assert lines[3][:2] == ["1", "✂"]


def test_trials_as_json_have_states_in_capitals_and_all_digits(ran: Workplace) -> None:
    trials = json.loads(ran.call("trials", "study.yaml", "-o", "json").out)
    assert [trial["state"] for trial in trials] == ["COMPLETE", "PRUNED"]
    assert trials[0]["value"] == 3.0
    assert trials[0]["parameters"] == {"x": 1.0, "kind": "on", "batch": 32}
    assert yaml.safe_load(ran.call("trials", "study.yaml", "-o", "yaml").out) == trials


def test_the_best_trial_has_parameters_to_copy_and_a_log(ran: Workplace) -> None:
    called = ran.call("best", "study.yaml")
    assert called.out.startswith("★ best  trial 0  score 3\n")
    found = json.loads(ran.call("best", "study.yaml", "-o", "json").out)
    assert {name: found[name] for name in ("study", "metric", "number", "value")} == {
        "study": "quick",
        "metric": "score",
        "number": 0,
        "value": 3.0,
    }
    assert yaml.safe_load(called.out.partition("\n")[2]) == {"x": 1.0, "kind": "on", "batch": 32}
    assert Path(found["log"]).read_text().startswith("training with {")


@pytest.mark.parametrize("command", ["trials", "best"])
def test_a_study_that_was_never_run_is_told(workplace: Workplace, command: str) -> None:
    workplace.write(study_document())
    called = workplace.call(command, "study.yaml")
    assert called.status == 1
    assert called.err == "error: .tuning has no history of the study quick; `tuning run study.yaml` makes it\n"
    assert not (workplace.path / ".tuning").exists(), "reading makes nothing"


def test_another_study_of_the_same_directory_is_not_taken_for_it(ran: Workplace) -> None:
    other = study_document()
    other["metadata"]["name"] = "other"
    ran.write(other, "other.yaml")
    called = ran.call("trials", "other.yaml")
    assert called.status == 1
    assert "no history of the study other" in called.err
