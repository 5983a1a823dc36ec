"""The example study on a real API server, with an operator that is killed three times on the way."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tests.control_plane.operator_process import InstalledOperator, wait_for
from tests.control_plane.studies import Studies
from tests.support.audit import AuditEvent
from tests.support.control_plane import ControlPlane

pytestmark = pytest.mark.timeout(1500)

MAX_TRIALS = 15
"""Of the example's 30: enough for three kills, and for pruned trials between them."""
KILLS_AT = (2, 6, 10)
"""Ended trials after which the operator is killed."""


@dataclass(frozen=True)
class Aftermath:
    """What is left when the study is complete."""

    study: dict[str, Any]
    jobs: list[dict[str, Any]]
    trials: list[tuple[Any, ...]]
    """(number, state) in Optuna's own tables."""
    reports: list[tuple[Any, ...]]
    """(trial, attempt, step, values) in the reports table."""
    requests: list[AuditEvent]
    """The operator's."""
    operator_log: str


def ended(studies: Studies) -> int:
    """Return how many trials have ended."""
    trials = studies.status("digits-mlp").get("trials", {})
    return sum(trials.get(state, 0) for state in ("complete", "pruned", "failed"))


@pytest.fixture(scope="module")
def aftermath(control_plane: ControlPlane, studies: Studies, operator: InstalledOperator) -> Aftermath:
    """Run the example with three kills."""
    since = control_plane.audit_log.position()
    studies.apply_example("digits-mlp")
    studies.patch("digits-mlp", {"maxTrials": MAX_TRIALS})
    for count in KILLS_AT:
        wait_for(lambda count=count: ended(studies) >= count, 300, lambda: f"stuck; {operator.log()}")  # type: ignore[misc]
        operator.kill()
        operator.start()
    studies.wait("digits-mlp", "Complete", 600)
    return Aftermath(
        study=studies.get("digits-mlp"),
        jobs=studies.jobs("digits-mlp"),
        trials=operator.query("SELECT number, state FROM trials ORDER BY number"),
        reports=operator.query('SELECT trial, attempt, step, "values" FROM tuning_reports'),
        requests=list(control_plane.audit_log.events(user=operator.user, since=since)),
        operator_log=operator.log_file.read_text(),
    )


def test_the_study_is_complete_with_a_good_result(aftermath: Aftermath) -> None:
    status = aftermath.study["status"]
    assert status["phase"] == "Complete"
    assert status["best"]["value"] >= 0.95


def test_every_trial_is_counted_once(aftermath: Aftermath) -> None:
    trials = aftermath.study["status"]["trials"]
    assert trials["complete"] + trials["pruned"] + trials["failed"] == MAX_TRIALS
    assert (trials["waiting"], trials["pending"], trials["running"]) == (0, 0, 0)
    assert trials["failed"] == 0


def test_trial_numbers_are_unique_and_consecutive(aftermath: Aftermath) -> None:
    assert [number for number, _ in aftermath.trials] == list(range(MAX_TRIALS))
    assert {state for _, state in aftermath.trials} <= {"COMPLETE", "PRUNED"}


def test_each_attempt_was_posted_once(aftermath: Aftermath) -> None:
    labels = [job["metadata"]["labels"] for job in aftermath.jobs]
    attempts = [(int(it["tuning-operator.io/trial"]), int(it["tuning-operator.io/attempt"])) for it in labels]
    assert sorted(attempts) == [(number, 1) for number in range(MAX_TRIALS)]
    posts = [event for event in aftermath.requests if (event.verb, event.resource) == ("create", "jobs")]
    created = [event for event in posts if event.code == 201 and "dryRun" not in event.uri]
    assert len(created) == MAX_TRIALS


def test_every_acknowledged_report_is_in_the_database(aftermath: Aftermath) -> None:
    """The trainer acknowledges nothing itself: it exits 75 when a report was not; so each complete trial has all 25."""
    steps = Counter(trial for trial, _, _, _ in aftermath.reports)
    complete = [number for number, state in aftermath.trials if state == "COMPLETE"]
    assert {number: steps[number] for number in complete} == dict.fromkeys(complete, 25)


def test_optunas_own_tables_have_the_same_curves(aftermath: Aftermath, operator: InstalledOperator) -> None:
    rows = operator.query(
        "SELECT t.number, v.step, v.intermediate_value FROM trial_intermediate_values v JOIN trials t USING (trial_id)"
    )
    curves = {(number, step): value for number, step, value in rows}
    ours = {(trial, step): json.loads(values)["val_accuracy"] for trial, _, step, values in aftermath.reports}
    assert curves == ours


def test_few_requests_are_made_per_trial(aftermath: Aftermath) -> None:
    """Without the Lease's renewals, the watches and the three starts, a trial costs its POST and little else."""
    about_trials = [
        event
        for event in aftermath.requests
        if event.resource in ("jobs", "pods", "events") and event.verb not in ("list", "watch")
    ]
    statuses = [event for event in aftermath.requests if event.resource == "tuningstudies/status"]
    assert len(about_trials) <= 1.2 * MAX_TRIALS + 10
    # The tests show counters each second instead of each 10 s.
    assert len(statuses) <= 300


def test_nothing_is_refused_and_no_traceback_is_logged(aftermath: Aftermath) -> None:
    refused = Counter((event.verb, event.resource, event.code) for event in aftermath.requests if event.code == 403)
    assert refused == {}
    assert "Traceback" not in aftermath.operator_log
