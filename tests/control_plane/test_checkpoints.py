"""Checkpoints on a claim's volume: a trial whose pod is taken away goes on in another one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import EXAMPLES, Studies
from tests.examples.shortening import shorten
from tests.resuming_trainer import resuming_trainer
from tests.support.control_plane import ControlPlane
from tuning_operator.api.yaml_files import load_study

GOES_ON = resuming_trainer(steps=5, stop=3, waits="trial.resume_from is None")
"""Its first attempt never gets beyond the third step."""

WITH_CHECKPOINTS = sorted(
    file.stem for file in EXAMPLES.glob("*.yaml") if "checkpoints" in load_study(file)["spec"]["trial"]
)

Claim = Callable[[str], Path]


@pytest.fixture
def claim(control_plane: ControlPlane, studies: Studies, tmp_path: Path) -> Iterator[Claim]:
    """Makes the volume of a claim; returns its folder on the node, which has no mounts: the study's path is that."""
    made = []

    def make(name: str) -> Path:
        made.append(f"{studies.namespace}-{name}")
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {"namespace": studies.namespace, "name": name},
            "hostPath": {"path": str(tmp_path)},
        }
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": made[-1]}, "spec": spec}
        control_plane.kubectl("apply", "-f", "-", input=yaml.safe_dump(volume))
        return tmp_path

    yield make
    for name in made:
        control_plane.kubectl("delete", "persistentvolume", name, "--wait=false")


def test_a_trial_whose_pod_is_taken_away_goes_on_after_its_last_checkpoint(
    studies: Studies, operator: InstalledOperator, claim: Claim
) -> None:
    folder = claim("shared")
    request = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared"}, "spec": request}
    studies.kubectl("apply", "-f", "-", input=yaml.safe_dump(body))
    checkpoints = {"claimName": "shared", "path": str(folder)}
    studies.apply("going-on", GOES_ON, maxTrials=1, parallelism=1, trial={"checkpoints": checkpoints})
    wait_for(lambda: [file.read_text() for file in folder.rglob("steps")] == ["3"], 60, operator.log)

    studies.patch("going-on", {"suspend": {"enabled": True, "mode": "Terminate"}})
    wait_for(lambda: studies.status("going-on")["trials"]["waiting"] == 1, 60, operator.log)
    studies.patch("going-on", {"suspend": {"enabled": False}})
    studies.wait("going-on", "Complete")

    assert studies.status("going-on")["trials"]["complete"] == 1
    uid = studies.get("going-on")["metadata"]["uid"]
    reports = operator.query("SELECT attempt, step FROM tuning_reports WHERE study_uid = ? ORDER BY step", uid)
    assert [step for _, step in reports] == [1, 2, 3, 4, 5]
    first, last = reports[0][0], reports[-1][0]
    assert [attempt for attempt, _ in reports] == [first, first, first, last, last]
    assert last > first
    assert [file.relative_to(folder) for file in folder.rglob("steps")] == [
        Path(studies.namespace, f"going-on-{uid[:8]}", "0", "steps")
    ]


@pytest.mark.parametrize("example", WITH_CHECKPOINTS)
def test_an_example_completes_as_jobs(
    studies: Studies, operator: InstalledOperator, claim: Claim, example: str
) -> None:
    folder = claim(example)
    request, study = yaml.safe_load_all((EXAMPLES / f"{example}.yaml").read_text())
    has_strategy = shorten(study, 2)
    study["spec"]["trial"]["checkpoints"]["path"] = str(folder)
    studies.kubectl("apply", "-f", "-", input=yaml.safe_dump_all([request, study]))
    studies.wait(example, "Complete", 280)
    assert studies.condition(example, "Complete")["reason"] == ("Exhausted" if has_strategy else "MaxTrialsReached")
    trials = studies.status(example)["trials"]
    assert (trials["complete"] + trials["pruned"], trials["failed"]) == (trials["total"], 0)
    assert {file.parent.name for file in folder.rglob("*.pt")} == set(map(str, range(trials["total"])))
    uid = studies.get(example)["metadata"]["uid"]
    first_steps = operator.query("SELECT MIN(step) FROM tuning_reports WHERE study_uid = ? GROUP BY trial", uid)
    assert any(step > 1 for (step,) in first_steps) == has_strategy


def test_the_how_tos_clean_up_is_a_pod_that_the_api_server_takes(studies: Studies) -> None:
    page = (EXAMPLES.parent / "docs" / "how-to" / "checkpoints.md").read_text()
    (command,) = re.findall(r"```sh\nkubectl (.*?)```", page, re.DOTALL)
    made = yaml.safe_load(studies.kubectl(*shlex.split(command), "--dry-run=server", "-o", "yaml"))
    (container,) = made["spec"]["containers"]
    assert container["command"][:2] == ["rm", "-rf"]
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["v"] == "/checkpoints"
