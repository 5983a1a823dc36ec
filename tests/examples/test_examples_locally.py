from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.examples.lineage import check_lineage
from tests.examples.shortening import shorten
from tuning_operator.api.pruners import PrunerName
from tuning_operator.api.samplers import SamplerName
from tuning_operator.api.validation import parse_study
from tuning_operator.api.yaml_files import load_study

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
TUNING = str(Path(sys.executable).with_name("tuning"))
TRIALS = 4
"""Enough to see trials succeed; the whole digits study is what `make e2e` runs."""

GOOD = {"learning-rate-range": (1e-4, math.inf), "strategy-miha": (0.0, 0.4)}
"""Between which values a good trial's is, where it is no accuracy of at least 0.9."""

pytestmark = pytest.mark.training


def tuning(folder: Path, *arguments: str) -> str:
    """Call the command line in a folder; return what it prints."""
    done = subprocess.run([TUNING, *arguments], cwd=folder, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_sampler_strategy_and_pruner_has_an_example() -> None:
    searches = [parse_study(load_study(example)).spec.search for example in EXAMPLES]
    assert {search.sampler.name for search in searches} == set(SamplerName)
    assert {search.pruner.name for search in searches} == set(PrunerName)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_runs_on_this_machine(example: Path, tmp_path: Path) -> None:
    study, document = tmp_path / example.name, load_study(example)
    has_strategy = shorten(document, TRIALS)
    study.write_text(yaml.safe_dump(document))
    planned = json.loads(tuning(tmp_path, "preview", study.name, "-o", "json"))["plannedTrainings"]
    tuning(tmp_path, "run", study.name)
    trials = json.loads(tuning(tmp_path, "trials", study.name, "-o", "json"))
    expected = planned if has_strategy else document["spec"]["maxTrials"]
    assert [trial["number"] for trial in trials] == list(range(expected))
    assert {trial["state"] for trial in trials} <= {"COMPLETE", "PRUNED"}
    assert (check_lineage(trials, tmp_path / ".tuning" / "logs") > 0) == has_strategy
    best = json.loads(tuning(tmp_path, "best", study.name, "-o", "json"))
    found = best.get("front", [best])  # of several objectives, whose first is the accuracy
    values = [trial["value"] if "value" in trial else next(iter(trial["values"].values())) for trial in found]
    least, most = GOOD.get(example.stem, (0.9, 1.0))
    assert least <= max(values) <= most
    saved = list((tmp_path / ".tuning" / "checkpoints").glob("*/*/*.pt"))
    assert {file.parent.name for file in saved} <= {str(trial["number"]) for trial in found}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_names_the_command_that_a_local_run_needs(example: Path) -> None:
    study = parse_study(load_study(example))
    containers = study.spec.trial.template["spec"]["containers"]
    assert all(container["command"] for container in containers)
