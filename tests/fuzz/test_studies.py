"""What people write into TuningStudies, and what the API server may show of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given

from tests.builders import STUDY, study_document
from tests.fuzz.mutations import fuzzed, mutated
from tuning_operator.api.status import read_status
from tuning_operator.api.validation import parse_study
from tuning_operator.decisions.report_access import ReportAccess
from tuning_operator.decisions.trial_job import sample_trial, trial_job
from tuning_operator.errors import InvalidStudy
from tuning_operator.study_tasks import study_key

ACCESS = ReportAccess("https://operator/v1/reports", audience="https://operator", ca="PEM")
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
    "spec": {
        "containers": [
            {
                "name": "trainer",
                "image": "trainer:1",
                "command": ["train"],
                "args": ["--lr=$(PARAM_lr)"],
                "env": [{"name": "DATA", "value": "/data"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
            {"name": "sidecar", "image": "sidecar:1"},
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "restartPolicy": "Never",
    },
}
DOCUMENT = study_document(
    parameters=[
        {"name": "lr", "type": "Float", "low": 1e-5, "high": 0.1, "scale": "Log"},
        {"name": "layers", "type": "Int", "low": 1, "high": 3},
        {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]},
    ],
    search={"sampler": {"name": "TPE", "options": {"nStartupTrials": 5}}, "pruner": {"name": "Median"}, "seed": 1},
    stopping={"failedTrials": {"total": 3}},
    trial={"template": TEMPLATE, "deadlines": {"start": "30m"}, "ttlAfterFinished": "1h"},
)
STATUS = {
    "phase": "Running",
    "observedGeneration": 1,
    "conditions": [
        {"type": "Running", "status": "True", "reason": "TrialsRun", "lastTransitionTime": "2027-01-01T00:00:00Z"}
    ],
    "trials": {"total": 3, "running": 1},
    "best": {"number": 1, "value": 0.5, "parameters": {"lr": 0.1}, "job": "digits-11112222-1-1"},
}


@fuzzed
@given(mutated(DOCUMENT))
def test_a_study_has_jobs_or_is_refused(document: Any) -> None:
    if isinstance(document, dict):
        study_key(document)
    try:
        study = parse_study(document)
    except InvalidStudy:
        return
    json.dumps(trial_job(STUDY, study.spec, sample_trial(study.spec), ACCESS))


@fuzzed
@given(mutated({"template": TEMPLATE}))
@example({"template": {**TEMPLATE, "metadata": None}})
@example({"template": {**TEMPLATE, "metadata": {"labels": None, "annotations": ["a"]}}})
@example({"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "volumes": 1}}})
def test_a_template_makes_jobs_or_is_refused(trial: Any) -> None:
    try:
        study = parse_study(study_document(trial=trial))
    except InvalidStudy:
        return
    json.dumps(trial_job(STUDY, study.spec, sample_trial(study.spec), ACCESS))


@fuzzed
@given(mutated(STATUS))
@example([])
@example("Running")
def test_a_status_is_read_or_counts_as_none(status: Any) -> None:
    json.dumps(read_status(status).to_document())
