"""What may change after a study's start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.golden_files import GOLDEN
from tests.api.server import StudyServer
from tuning_operator.api.yaml_files import load_study

Spec = dict[str, Any]
Change = Callable[[Spec], Any]

MUTABLE: dict[str, Change] = {
    "goal": lambda spec: spec["objectives"][0].update(goal=0.5),
    "goal removed": lambda spec: spec["objectives"][0].pop("goal"),
    "maxTrials": lambda spec: spec.update(maxTrials=1000),
    "parallelism": lambda spec: spec.update(parallelism=1),
    "suspend": lambda spec: spec.pop("suspend"),
    "stopping": lambda spec: spec["stopping"].update(failedTrials={"total": 99}, onEnd="Drain"),
    "stopping removed": lambda spec: spec.pop("stopping"),
    "ttlAfterFinished": lambda spec: spec["trial"].update(ttlAfterFinished="5m"),
}

IMMUTABLE: dict[str, tuple[str, Change]] = {
    "metric": ("objectives", lambda spec: spec["objectives"][0].update(metric="other")),
    "direction": ("objectives", lambda spec: spec["objectives"][0].update(direction="Minimize")),
    "reduce": ("objectives", lambda spec: spec["objectives"][0].update(reduce="Mean")),
    "reduce removed": ("objectives", lambda spec: spec["objectives"][0].pop("reduce")),
    "a metric's bound": (
        "metricConstraints",
        lambda spec: spec.update(metricConstraints=[{"metric": "latency", "max": 20}]),
    ),
    "low": ("parameters", lambda spec: spec["parameters"][0].update(low=1e-6)),
    "scale removed": ("parameters", lambda spec: spec["parameters"][0].pop("scale")),
    "step": ("parameters", lambda spec: spec["parameters"][1].pop("step")),
    "another choice": ("parameters", lambda spec: spec["parameters"][4]["choices"].append("more")),
    "a choice's type": (
        "parameters",
        lambda spec: spec["parameters"][4].update(choices=["adam", "sgd", "off", 1, 1.5, "true"]),
    ),
    "value": ("parameters", lambda spec: spec["parameters"][5].update(value=26)),
    "when": ("parameters", lambda spec: spec["parameters"][6]["when"].update(otherwise=1)),
    "when removed": ("parameters", lambda spec: spec["parameters"][6].pop("when")),
    "another parameter": (
        "parameters",
        lambda spec: spec["parameters"].append({"name": "z", "type": "Fixed", "value": 1}),
    ),
    "a parameter less": ("parameters", lambda spec: spec["parameters"].pop()),
    "the parameters' order": ("parameters", lambda spec: spec["parameters"].reverse()),
    "another constraint": ("constraints", lambda spec: spec["constraints"].append("layers > 1")),
    "constraints removed": ("constraints", lambda spec: spec.pop("constraints")),
    "sampler": ("search", lambda spec: spec["search"].update(sampler={"name": "NSGAII"})),
    "an option": ("search", lambda spec: spec["search"]["sampler"]["options"].update(nEiCandidates=33)),
    "an option less": ("search", lambda spec: spec["search"]["pruner"]["options"].pop("nMinTrials")),
    "seed": ("search", lambda spec: spec["search"].update(seed=43)),
    "seed removed": ("search", lambda spec: spec["search"].pop("seed")),
    "enqueue": ("search", lambda spec: spec["search"]["enqueue"][0].update(layers=5)),
    "enqueue removed": ("search", lambda spec: spec["search"].pop("enqueue")),
    "search removed": ("search", lambda spec: spec.pop("search")),
    "image": (
        "trial.template",
        lambda spec: spec["trial"]["template"]["spec"]["containers"][1].update(image="trainer:2"),
    ),
    "a field of the pod": (
        "trial.template",
        lambda spec: spec["trial"]["template"]["spec"].pop("activeDeadlineSeconds"),
    ),
    "deadlines.start": ("trial.deadlines", lambda spec: spec["trial"]["deadlines"].update(start=None)),
    "deadlines.run removed": ("trial.deadlines", lambda spec: spec["trial"]["deadlines"].pop("run")),
    "deadlines removed": ("trial.deadlines", lambda spec: spec["trial"].pop("deadlines")),
    "metrics.logs.step": ("trial.metrics", lambda spec: spec["trial"]["metrics"]["logs"].update(step="batch")),
    "metrics removed": ("trial.metrics", lambda spec: spec["trial"].pop("metrics")),
    "checkpoints' claim": ("trial.checkpoints", lambda spec: spec["trial"]["checkpoints"].update(claimName="other")),
    "checkpoints' path removed": ("trial.checkpoints", lambda spec: spec["trial"]["checkpoints"].pop("path")),
    "checkpoints removed": ("trial.checkpoints", lambda spec: spec["trial"].pop("checkpoints")),
    "pruneGrace": ("trial.pruneGrace", lambda spec: spec["trial"].pop("pruneGrace")),
}


@pytest.fixture
def stored(server: StudyServer) -> dict[str, Any]:
    """A study with every field, before its start."""
    return server.create(load_study(GOLDEN / "valid" / "every-field.yaml"))


def test_everything_may_change_before_the_start(server: StudyServer, stored: dict[str, Any]) -> None:
    server.write_status(stored["metadata"]["name"], {"phase": "Pending", "observedGeneration": 1})
    for name, change in {**MUTABLE, **{name: change for name, (_, change) in IMMUTABLE.items()}}.items():
        document = server.get(stored["metadata"]["name"])
        change(document["spec"])
        assert server.update_refusal(document) is None, name


def test_after_the_start_only_what_does_not_touch_the_search_may_change(
    server: StudyServer, stored: dict[str, Any]
) -> None:
    study = stored["metadata"]["name"]
    server.write_status(study, {"startTime": "2027-01-15T08:00:00Z"})
    for name, change in MUTABLE.items():
        document = server.get(study)
        change(document["spec"])
        assert server.update_refusal(document) is None, name
    for name, (field, change) in IMMUTABLE.items():
        document = server.get(study)
        change(document["spec"])
        refusal = server.update_refusal(document)
        assert refusal is not None, f"{name} could be changed"
        assert f"`{field}` can't change after the study has started; create a new study" in refusal, name


def test_the_operator_may_write_the_status_of_a_started_study(server: StudyServer, stored: dict[str, Any]) -> None:
    study = stored["metadata"]["name"]
    server.write_status(study, {"startTime": "2027-01-15T08:00:00Z"})
    assert server.write_status(study, {"phase": "Running"})["status"]["phase"] == "Running"


def test_labels_of_a_started_study_may_change(server: StudyServer, stored: dict[str, Any]) -> None:
    study = stored["metadata"]["name"]
    server.write_status(study, {"startTime": "2027-01-15T08:00:00Z"})
    document = server.get(study)
    document["metadata"]["labels"] = {"team": "speech"}
    assert server.update_refusal(document) is None


def test_a_started_studys_trials_keep_their_runs(server: StudyServer) -> None:
    stored = server.create(load_study(GOLDEN / "valid" / "runs.yaml"))
    server.write_status(stored["metadata"]["name"], {"startTime": "2027-01-15T08:00:00Z"})
    for field, value in (("repeats", 3), ("folds", 4), ("parallelRuns", 2)):
        document = server.get(stored["metadata"]["name"])
        document["spec"]["trial"][field] = value
        assert f"`trial.{field}` can't change after" in (server.update_refusal(document) or "")
