"""Studies of several objectives on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.cli.test_tables import text_of
from tests.cli.workplace import Workplace, study_document
from tuning_operator.api.status import StudyStatus, read_status
from tuning_operator.api.study import Objective
from tuning_operator.cli.front_view import front_view
from tuning_operator.cli.ranking import Aims
from tuning_operator.cli.status_view import status_line, status_view
from tuning_operator.cli.study_reader import BestFound, FrontFound, StudyFacts

OBJECTIVES: list[dict[str, Any]] = [
    {"metric": "score", "direction": "Maximize"},
    {"metric": "size", "direction": "Minimize"},
]
AIMS = Aims([Objective.model_validate(objective) for objective in OBJECTIVES])
FACTS = StudyFacts("quick", "score", AIMS.objectives[0].direction, ("x",), 100, aims=AIMS)

TRAINER = """
import tuning_trainer as tuning

trial = tuning.current_trial()
x = trial.parameters["x"]
(trial.checkpoint_dir / "net").touch()
trial.report({"score": x, "size": 100 * x, "latency": 30 * x}, step=1)
"""


@pytest.fixture
def ended(workplace: Workplace) -> Workplace:
    """A study of two objectives that has ended: each trial is on the front, but for the slow ones."""
    (workplace.path / "train.py").write_text(TRAINER)
    bounds = [{"metric": "latency", "max": 20}]
    enqueue = [{"x": x} for x in (0.1, 0.3, 0.5, 0.7, 0.9)]
    search = {"seed": 1, "sampler": {"name": "NSGAII"}, "enqueue": enqueue}
    workplace.write(study_document(objectives=OBJECTIVES, metricConstraints=bounds, search=search))
    assert workplace.call("run", "study.yaml").status == 0
    return workplace


def test_a_run_ends_with_its_front(workplace: Workplace, ended: Workplace) -> None:
    best = json.loads(ended.call("best", "study.yaml", "-o", "json").out)
    assert [trial["number"] for trial in best["front"]] == [2, 1, 0]
    assert best["front"][0]["values"] == {"score": 0.5, "size": 50.0, "latency": 15.0}
    assert best["frontSize"] == 3
    assert yaml.safe_load(ended.call("best", "study.yaml", "-o", "yaml").out) == best
    table = ended.call("best", "study.yaml").out
    assert "★ front  3 trials" in table
    status = json.loads(ended.call("status", "study.yaml", "-o", "json").out)
    assert [trial["number"] for trial in status["front"]] == [2, 1, 0]
    assert "best" not in status
    trials = json.loads(ended.call("trials", "study.yaml", "-o", "json").out)
    assert trials[4]["further"] == {"size": 90.0, "latency": 27.0}
    assert trials[4]["message"] == "`latency` 27 is above 20"
    listed = ended.call("trials", "study.yaml").out
    assert listed.count("★") == 3
    assert "size" in listed
    again = ended.call("run", "study.yaml").out
    assert "★" in again
    assert "the checkpoints of the trials on the front, by number" in again
    kept = (workplace.path / ".tuning" / "checkpoints").glob("*/*/net")
    assert {file.parent.name for file in kept} == {"0", "1", "2"}


OPTUNA_OBJECTIVE = """
import tuning_trainer as tuning

def objective(trial):
    x = trial.suggest_float("x", 0, 5)
    y = trial.suggest_float("y", 0, 3)
    return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2

trial = tuning.optuna_trial()
trial.complete(objective(trial))
"""


def test_an_objective_that_was_written_for_optuna_returns_several_values(workplace: Workplace) -> None:
    (workplace.path / "train.py").write_text(OPTUNA_OBJECTIVE)
    objectives = [{"metric": "v0", "direction": "Minimize"}, {"metric": "v1", "direction": "Minimize"}]
    search = {"seed": 1, "sampler": {"name": "TPE"}}
    workplace.write(study_document(objectives=objectives, parameters=[], defineByRun=True, search=search))
    assert workplace.call("run", "study.yaml").status == 0
    trials = json.loads(workplace.call("trials", "study.yaml", "-o", "json").out)
    assert [trial["state"] for trial in trials] == ["COMPLETE"] * 5
    for trial in trials:
        x, y = trial["parameters"]["x"], trial["parameters"]["y"]
        assert trial["value"] == pytest.approx(4 * x**2 + 4 * y**2)
        assert trial["further"] == {"v1": pytest.approx((x - 5) ** 2 + (y - 5) ** 2)}


def test_a_large_front_says_how_many_trials_it_has() -> None:
    trials = [
        BestFound(number, 0.1, {"x": 0.5}, "job", "log", {"score": 0.1 * number, "size": 1e4}) for number in range(20)
    ]
    lines = text_of(front_view(FrontFound(57, trials), FACTS, 80), 80)
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("★ front  57 trials")
    assert lines[-1] == "and 37 more, between these"


def test_a_status_shows_the_front_its_hypervolume_the_goals_and_the_best_of_each_objective() -> None:
    status = _status(hypervolume=3.21987)
    assert "front of 12, hypervolume 3.22, best score 0.5000 (trial 3), size 7.0000 (trial 3)" in status_line(
        FACTS, status
    )
    with_goal = Objective.model_validate({**OBJECTIVES[0], "goal": 0.98})
    facts = replace(FACTS, aims=Aims([with_goal, AIMS.objectives[1]]))
    seen = "\n".join(text_of(status_view(facts, status, 1_800_000_000.0, 100), 100))
    assert "maximize score until 0.98, minimize size" in seen
    assert "front, 1 of 12" in seen
    assert "time" not in seen, "how long they took is not known"


def test_it_is_said_when_no_trial_keeps_the_bounds() -> None:
    status = _status(infeasible="size 7 is above 5")
    told = "no trial keeps all bounds; least beyond them: score 0.5000 (trial 3), size 7.0000 (trial 3)"
    assert told in status_line(FACTS, status)
    trial = BestFound(3, 0.5, {"x": 0.5}, "job", "log", {"score": 0.5, "size": 7.0}, infeasible="size 7 is above 5")
    lines = text_of(front_view(FrontFound(1, [trial]), FACTS, 80), 80)
    assert lines[0].startswith("☆ no trial keeps all bounds")
    assert "size 7 is above 5" in lines[-1]
    seen = text_of(status_view(FACTS, status, 1_800_000_000.0, 100), 100)
    assert "nearest to the bounds, 1 of 12" in seen
    assert not any(line.startswith("front") for line in seen)


def _status(infeasible: str = "", **further: Any) -> StudyStatus:
    front = {"number": 3, "values": {"score": 0.5, "size": 7.0}, "parameters": {"x": 0.25}, "infeasible": infeasible}
    objectives = [{"metric": "score", "best": 0.5, "number": 3}, {"metric": "size", "best": 7.0, "number": 3}]
    trials = {"total": 9, "complete": 9}
    fixed = {"phase": "Running", "trials": trials, "front": [front], "frontSize": 12, "objectives": objectives}
    return read_status(fixed | further)
