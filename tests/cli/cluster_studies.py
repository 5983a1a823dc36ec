"""A study of a cluster, as its API server and its operator show it."""

from __future__ import annotations

from typing import Any

from tests.cli.workplace import study_document
from tuning_operator.decisions.trials import EndState, FinishedTrial
from tuning_operator.reports.trial_document import trial_document


def cluster_study(token: str) -> dict[str, Any]:
    """Return the study team/quick with a best trial."""
    document = study_document()
    metadata = {"namespace": "team", "uid": "12345678-1234", "generation": 1, "resourceVersion": "7"}
    document["metadata"].update(metadata, managedFields=[])
    best = {"number": 4, "value": 4.0, "parameters": {"x": 0.4, "kind": "a"}, "job": "quick-1234-4-1"}
    document["status"] = {"phase": "Running", "readToken": token, "best": best}
    return document


def cluster_trial(number: int) -> dict[str, Any]:
    """Return a trial as the read API shows it."""
    parameters: dict[str, Any] = {"x": number / 10, "kind": "a"}
    trial = FinishedTrial(
        number, EndState.COMPLETE, parameters, float(number), "Complete", "", 1, ended_at=1.7e9, running_seconds=3.0
    )
    return trial_document(trial)
