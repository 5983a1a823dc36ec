"""A trial as JSON."""

from __future__ import annotations

import json
import math

from tuning_contract.environment import ParameterValue
from tuning_operator.decisions.trials import EndState, FinishedTrial, Lineage, OpenTrial
from tuning_operator.ports import StoredReport
from tuning_operator.reports.trial_document import report_document, trial_document

PARAMETERS: dict[str, ParameterValue] = {"learning_rate": 0.1, "layers": 2, "optimizer": "adam", "nesterov": True}


def _finished(value: float | None = 0.9, state: EndState = EndState.COMPLETE) -> FinishedTrial:
    return FinishedTrial(
        number=3,
        state=state,
        parameters=PARAMETERS,
        value=value,
        reason="Completed",
        message="a sentence",
        attempt=2,
        ended_at=1_760_000_000.25,
        running_seconds=12.5,
    )


def test_a_finished_trial_says_how_it_ended() -> None:
    assert trial_document(_finished()) == {
        "number": 3,
        "state": "COMPLETE",
        "value": 0.9,
        "further": {},
        "std": None,
        "runValues": {},
        "parameters": PARAMETERS,
        "attempt": 2,
        "lineage": None,
        "reason": "Completed",
        "message": "a sentence",
        "askedAt": None,
        "firstReportAt": None,
        "lastReportAt": None,
        "lastStep": None,
        "endedAt": "2025-10-09T08:53:20.250Z",
        "runningSeconds": 12.5,
    }


def test_a_strategys_trial_says_where_it_comes_from() -> None:
    lineage = Lineage(parent=1, parent_attempt=2, bracket=0, rung=1, budget=9, note="trial 1 was promoted")
    assert trial_document(OpenTrial(number=4, parameters={}, lineage=lineage))["lineage"] == {
        "parent": 1,
        "generation": None,
        "bracket": 0,
        "rung": 1,
        "budget": 9,
        "note": "trial 1 was promoted",
        "inherits": True,
    }
    bred = OpenTrial(number=4, parameters={}, lineage=Lineage(parent=1, inherits=False, generation=1))
    shown = trial_document(bred)["lineage"]
    assert shown is not None
    assert (shown["parent"], shown["inherits"]) == (1, False)


def test_an_open_trial_says_how_far_it_is() -> None:
    waiting = OpenTrial(number=4, parameters=PARAMETERS, asked_at=1_760_000_000.0)
    document = trial_document(waiting)
    assert (document["state"], document["value"], document["endedAt"]) == ("WAITING", None, None)
    assert document["askedAt"] == "2025-10-09T08:53:20.000Z"


def test_a_trial_that_has_reported_is_running() -> None:
    running = OpenTrial(
        number=4, parameters={}, first_report_at=1_760_000_000.0, last_report_at=1_760_000_001.0, last_step=7, value=0.5
    )
    document = trial_document(running)
    assert (document["state"], document["lastStep"], document["value"]) == ("RUNNING", 7, 0.5)


def test_open_and_finished_trials_have_the_same_fields() -> None:
    assert list(trial_document(OpenTrial(number=1, parameters={}))) == list(trial_document(_finished()))


def test_every_document_is_json_whatever_was_reported() -> None:
    for value, shown in ((math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (None, None)):
        document = trial_document(_finished(value, EndState.PRUNED))
        assert json.loads(json.dumps(document, allow_nan=False))["value"] == shown
    report = report_document(StoredReport(attempt=1, step=2, values={"a": math.nan, "b": 1.0}, time=0.0))
    assert report == {
        "attempt": 1,
        "run": 0,
        "step": 2,
        "values": {"a": "NaN", "b": 1.0},
        "time": "1970-01-01T00:00:00.000Z",
    }


def test_a_trial_of_several_runs_shows_the_value_of_each() -> None:
    document = trial_document(OpenTrial(number=4, parameters={}, value=math.nan, run_values={0: 0.5, 2: math.nan}))
    assert (document["runValues"], document["std"]) == ({"0": 0.5, "2": "NaN"}, None)
    document = trial_document(OpenTrial(number=4, parameters={}, value=0.375, run_values={0: 0.5, 1: 0.25}))
    assert (document["runValues"], document["std"]) == ({"0": 0.5, "1": 0.25}, 0.125)
