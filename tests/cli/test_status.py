"""`tuning status`, of studies on the cluster and on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.api_server import ApiServer
from tests.cli.test_tables import text_of
from tests.cli.workplace import Workplace, study_document, until
from tuning_operator.api.metric_constraints import MetricConstraint
from tuning_operator.api.status import StudyStatus, read_status
from tuning_operator.api.study import Direction, Objective
from tuning_operator.cli.ranking import Aims
from tuning_operator.cli.status_view import status_line, status_view
from tuning_operator.cli.study_reader import StudyFacts

FACTS = StudyFacts("quick", "score", Direction.MAXIMIZE, ("x", "kind"), 100, 8, "namespace team")
STARTED = "2027-01-15T08:00:00Z"
NOW = 1_800_003_600.0
"""An hour after `STARTED`."""


def condition(kind: str, reason: str, message: str = "", status: str = "True") -> dict[str, Any]:
    """Return a condition that turned half an hour ago."""
    since = "2027-01-15T08:30:00Z"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


def status(*conditions: dict[str, Any], **fields: Any) -> StudyStatus:
    """Return the status of a study that runs, unless fields say otherwise."""
    parameters = {"x": 0.25, "kind": "a"}
    document = {
        "phase": "Running",
        "conditions": list(conditions),
        "startTime": STARTED,
        "progress": "32/100",
        "trials": {"total": 40, "waiting": 1, "pending": 1, "running": 6, "complete": 20, "pruned": 10, "failed": 2},
        "best": {"number": 17, "value": 0.98765, "parameters": parameters},
        "recent": [
            {"number": 38, "state": "Failed", "parameters": parameters, "reason": "OutOfMemory", "message": "no room"},
            {"number": 17, "state": "Complete", "value": 0.98765, "parameters": parameters, "duration": "1m30s"},
        ],
        "usage": {"gpuHours": 12.4321, "trialHours": 13.1},
        "plannedTrainings": 100,
        **fields,
    }
    read = read_status(document)
    assert read.start_time == document["startTime"], "the document is a status"
    return read


def view(shown: StudyStatus, width: int = 100) -> str:
    """Return what is seen."""
    return "\n".join(text_of(status_view(FACTS, shown, NOW, width), width))


def test_it_says_how_far_the_study_is_what_it_found_and_what_it_used() -> None:
    seen = view(status(condition("Accepted", "Valid"), condition("Running", "TrialsRunning")))
    for fragment in (
        "quick  ● Running  maximize score",
        "1h00m",
        "✔ 20 complete   ✂ 10 pruned   ✘ 2 failed   ▶ 6 running",
        "32/100 trials",
        "★ 0.9877  trial 17   x 0.25   kind a",
        "6 of 8 in parallel, 1 pending, 1 waiting",
        "12.43 GPU hours, 13.1 trial hours",
        "100 trainings",
        "OutOfMemory: no room",
    ):
        assert fragment in seen
    assert "Valid" not in seen, "what is as it should be needs no line"


def test_what_is_wrong_is_said_in_full_whatever_the_width() -> None:
    message = "exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: 8, limited: 8"
    seen = view(status(condition("Degraded", "JobNotCreated", message)), width=60)
    assert "● Degraded  JobNotCreated  for 30m00s" in seen
    assert message in " ".join(seen.split())


def test_a_refused_study_is_told_why() -> None:
    refused = condition("Accepted", "InvalidSpec", "`x` is no option of TPE", status="False")
    seen = view(status(refused, phase="Refused"))
    assert "● NotAccepted  InvalidSpec" in seen
    assert "`x` is no option of TPE" in seen


def test_a_study_that_has_not_started_has_little_to_show() -> None:
    empty = read_status({})
    facts = StudyFacts("quick", "", Direction.MAXIMIZE, (), 0)
    lines = text_of(status_view(facts, empty, NOW, 80), 80)
    assert [line.split() for line in lines if "━" not in line] == [
        ["quick", "●", "Pending", "0s"],
        ["✔", "0", "complete", "✂", "0", "pruned", "✘", "0", "failed", "0/0", "trials"],
        ["no", "complete", "trial", "yet"],
    ]


def test_trials_that_ended_last_have_metrics_with_bounds_and_tenths_of_seconds() -> None:
    aims = Aims([Objective(metric="score", direction=Direction.MAXIMIZE)], [MetricConstraint(metric="size", max=5)])
    trials = [
        {"number": 4, "state": "Complete", "value": 0.5, "values": {"score": 0.5, "size": 7.0}, "duration": "0.3s"},
        {"number": 3, "state": "Complete", "value": 0.4, "values": {"score": 0.4, "size": 4.0}, "duration": "1h2m3s"},
        {"number": 2, "state": "Pruned", "value": 0.1, "duration": "soon"},
    ]
    shown = status(recent=[{"parameters": {}, **trial} for trial in trials])
    lines = text_of(status_view(replace(FACTS, aims=aims), shown, NOW, 80), 80)
    rows = [line.split() for line in lines[lines.index("ended last") + 3 :]]
    assert [row[2:5] for row in rows] == [
        ["0.5000", "7.0000", "0.3s"],
        ["0.4000", "4.0000", "1h02m"],
        ["0.1000", "–", "–"],
    ]


def test_a_best_trial_that_does_not_keep_the_bounds_is_not_praised() -> None:
    best = {"number": 17, "value": 0.9, "parameters": {"x": 0.25}, "infeasible": "`size` 7 is above 5"}
    told = "no trial keeps all bounds; least beyond them: 0.9000"
    seen = view(status(best=best))
    assert f"☆ {told}  trial 17   x 0.25" in seen
    assert "★" not in seen
    assert status_line(FACTS, status(best=best)).endswith(f"  {told} (trial 17)")


def test_a_line_of_it_fits_into_a_log() -> None:
    assert status_line(FACTS, status()) == "quick  Running  32/100  6 running  best 0.9877 (trial 17)"


def test_json_and_yaml_are_the_status_without_its_token(workplace: Workplace, server: ApiServer) -> None:
    server.studies["team/quick"]["status"].update(progress="2/5")
    shown = json.loads(workplace.call("status", "quick", "-o", "json").out)
    assert (shown["study"], shown["where"], shown["progress"]) == ("quick", "namespace team", "2/5")
    assert shown["best"]["number"] == 4
    assert "readToken" not in shown
    assert yaml.safe_load(workplace.call("status", "quick", "-o", "yaml").out) == shown


def test_a_study_with_a_wrong_spec_has_a_status_too(workplace: Workplace, server: ApiServer) -> None:
    study = server.studies["team/quick"]
    study["spec"]["search"]["sampler"] = {"name": "Random", "options": {"temperature": 1}}
    refused = condition("Accepted", "InvalidSpec", "Random has no option `temperature`", status="False")
    study["status"] = {"phase": "Refused", "conditions": [refused]}
    called = workplace.call("status", "quick")
    assert called.status == 0
    assert "Random has no option `temperature`" in called.out


@pytest.mark.parametrize(("kind", "exit_status"), [("Complete", 0), ("Failed", 1)])
def test_watching_prints_a_line_for_each_change_until_the_end(
    workplace: Workplace, server: ApiServer, monkeypatch: pytest.MonkeyPatch, kind: str, exit_status: int
) -> None:
    shown = server.studies["team/quick"]["status"]
    shown["progress"] = "1/5"
    looks = iter([{}, {"progress": "4/5"}, {"conditions": [condition(kind, "Ended")], "phase": kind}])
    monkeypatch.setattr("tuning_operator.cli.status_watch.time.sleep", lambda _: shown.update(next(looks)))
    called = workplace.call("status", "quick", "--watch")
    assert called.status == exit_status
    assert [line.split()[1:3] for line in called.out.splitlines()] == [
        ["Running", "1/5"],
        ["Running", "4/5"],
        [kind, "4/5"],
    ]


def test_watching_goes_on_when_the_server_is_away_for_a_moment(
    workplace: Workplace, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        if not server.refusals:
            server.refusals["tuningstudies"] = 503
            return
        server.refusals.clear()
        server.studies["team/quick"]["status"]["conditions"] = [condition("Complete", "Ended")]

    monkeypatch.setattr("tuning_operator.cli.status_watch.time.sleep", sleep)
    called = workplace.call("status", "quick", "-w")
    assert called.status == 0
    assert "the API server answered 503" in called.err


def test_a_local_study_has_the_status_that_an_operator_would_show(workplace: Workplace) -> None:
    workplace.write(study_document())
    assert workplace.call("run", "study.yaml").status == 0
    shown = json.loads(workplace.call("status", "study.yaml", "-o", "json").out)
    assert (shown["phase"], shown["progress"], shown["trials"]["complete"]) == ("Complete", "5/5", 5)
    assert "this machine, .tuning/" in workplace.call("status", "study.yaml").out


def test_a_local_study_that_runs_is_told_from_one_that_was_left(workplace: Workplace) -> None:
    workplace.write(study_document("wait"))
    with workplace.start("run", "study.yaml"):
        until(lambda: len(workplace.pids()) == 2, "two trials run")
        shown = json.loads(workplace.call("status", "study.yaml", "-o", "json").out)
        assert (shown["phase"], shown["trials"]["running"]) == ("Running", 2)
    called = workplace.call("status", "study.yaml")
    assert "● Suspended  NotRunning" in called.out
    assert "`tuning run study.yaml` goes on with it" in called.out


GRID = {"sampler": {"name": "Grid", "options": {"points": 2}}}
"""Of four points."""


def _shown(workplace: Workplace, kind: str) -> tuple[str, str]:
    """Return the phase of the local study, and the reason of a condition."""
    shown = json.loads(workplace.call("status", "study.yaml", "-o", "json").out)
    return shown["phase"], next(each["reason"] for each in shown["conditions"] if each["type"] == kind)


def test_a_local_study_whose_search_is_exhausted_has_ended(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=9, search=GRID))
    assert workplace.call("run", "study.yaml").status == 0
    assert _shown(workplace, "Complete") == ("Complete", "Exhausted")
    for max_trials in (99, 3):
        workplace.write(study_document(maxTrials=max_trials, search=GRID))
        assert _shown(workplace, "Complete") == ("Complete", "Exhausted")


def test_an_exhausted_local_study_goes_on_with_another_search(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=6, search=GRID))
    workplace.call("run", "study.yaml")
    workplace.write(study_document(maxTrials=6))
    assert _shown(workplace, "Suspended") == ("Suspended", "NotRunning")
    assert workplace.call("run", "study.yaml").status == 0
    assert _shown(workplace, "Complete") == ("Complete", "MaxTrialsReached")
    workplace.write(study_document(maxTrials=7))
    assert _shown(workplace, "Suspended") == ("Suspended", "NotRunning")


def test_a_local_study_without_a_feasible_point_has_failed_until_its_constraint_is_mended(workplace: Workplace) -> None:
    workplace.write(study_document(maxTrials=2, constraints=["x > 2.0"]))
    assert workplace.call("run", "study.yaml").status == 1
    assert _shown(workplace, "Failed") == ("Failed", "NoFeasiblePoint")
    workplace.write(study_document(maxTrials=2, constraints=["x > 0.2"]))
    assert _shown(workplace, "Suspended") == ("Suspended", "NotRunning")
    assert workplace.call("run", "study.yaml").status == 0
    assert _shown(workplace, "Complete") == ("Complete", "MaxTrialsReached")


def test_a_local_study_that_never_ran_is_told(workplace: Workplace) -> None:
    workplace.write(study_document())
    called = workplace.call("status", "study.yaml")
    assert called.status == 1
    assert "`tuning run study.yaml` makes it" in called.err
    assert not Path(".tuning").exists()
