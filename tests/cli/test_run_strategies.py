"""`tuning run` with a strategy: trials go on from their parents' checkpoints, and a killed run changes nothing."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.cli.workplace import Workplace, study_document, until

TRAINER = """
import os, pathlib
import tuning_trainer as tuning

trial = tuning.current_trial()
pathlib.Path(f"trial-{trial.number}-{os.environ['TUNING_ATTEMPT']}.pid").write_text(str(os.getpid()))
own = trial.checkpoint_dir / "steps"
places = [own] if trial.resume_from is None else [own, trial.resume_from / "steps"]
done = next((int(place.read_text()) for place in places if place.exists()), 0)
for step in range(done + 1, trial.budget + 1):
    trial.report({"score": trial.parameters["x"] * step}, step=step)
    trial.flush()
    own.write_text(str(step))
"""
"""Saves each step, and goes on from its own last one, else from its parent's."""

STRATEGIES: list[dict[str, Any]] = [
    {"name": "SynchronousHyperband", "options": {"maxResource": 4, "reductionFactor": 2}},
    {"name": "PopulationBasedTraining", "options": {"populationSize": 3, "interval": 2, "generations": 3}},
    {"name": "MIHA", "options": {"cycles": 2, "populationSize": 2, "mutate": ["x", "kind"]}},
]


def study(strategy: dict[str, Any], max_trials: int = 50) -> dict[str, Any]:
    """Return a study whose trials run one after the other, so that their order is always the same."""
    document = study_document(search={"seed": 3, "sampler": strategy}, parallelism=1, maxTrials=max_trials)
    document["spec"]["trial"]["checkpoints"] = {"claimName": "a-claim"}
    return document


def trials_of(workplace: Workplace) -> list[dict[str, Any]]:
    """Return what trials are, whatever happened on their way."""
    trials = json.loads(workplace.call("trials", "study.yaml", "-o", "json").out)
    return [{name: trial[name] for name in ("number", "state", "value", "parameters", "lineage")} for trial in trials]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["name"]))
def test_a_run_that_was_killed_has_the_same_trials(workplace: Workplace, strategy: dict[str, Any]) -> None:
    workplace.write(study(strategy))
    (workplace.path / "train.py").write_text(TRAINER)
    with workplace.start("run", "study.yaml") as run:
        until(lambda: len(workplace.pids()) >= 4, "no trials run")
        run.send(signal.SIGKILL)
        assert run.end().status == -signal.SIGKILL
    assert workplace.call("run", "study.yaml").status == 0
    killed = trials_of(workplace)

    assert workplace.call("run", "study.yaml", "--new").status == 0
    assert trials_of(workplace) == killed
    assert all(trial["state"] == "COMPLETE" for trial in killed)
    parents = [trial["lineage"]["parent"] for trial in killed]
    assert any(parent is not None for parent in parents)
    for trial in killed:
        assert trial["value"] == pytest.approx(trial["parameters"]["x"] * trial["lineage"]["budget"])


@pytest.mark.parametrize("max_trials", [5, 6, 7])
def test_once_a_plan_has_come_to_its_end_the_best_trials_checkpoint_stays(
    workplace: Workplace, max_trials: int
) -> None:
    """While `maxTrials` cuts the plan off all stay: raise it, and trials go on from any of them."""
    options = {"populationSize": 3, "interval": 1, "generations": 2}
    workplace.write(study({"name": "PopulationBasedTraining", "options": options}, max_trials))
    (workplace.path / "train.py").write_text(TRAINER)
    assert workplace.call("run", "study.yaml").status == 0
    (folder,) = (workplace.path / ".tuning" / "checkpoints").iterdir()
    kept = {int(place.name) for place in folder.iterdir()}
    status = json.loads(workplace.call("status", "study.yaml", "-o", "json").out)
    ended = next(each for each in status["conditions"] if each["type"] == "Complete")
    if max_trials < 6:
        assert (ended["reason"], kept) == ("MaxTrialsReached", set(range(max_trials)))
    else:
        assert (ended["reason"], kept) == ("Exhausted", {status["best"]["number"]})
