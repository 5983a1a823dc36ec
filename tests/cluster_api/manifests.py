"""Jobs as the operator writes them, cut down to what the cluster's side reads."""

from __future__ import annotations

from typing import Any

from tuning_operator.api.names import API_VERSION, ATTEMPT_LABEL, KIND, STUDY_UID_LABEL, TRIAL_LABEL, job_name
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trial_runs import indexed


def job_manifest(
    study: StudyKey, trial: int, attempt: int = 1, runs: int = 1, at_once: int | None = None
) -> dict[str, Any]:
    """Return the Job of an attempt; its containers would sleep."""
    labels = {STUDY_UID_LABEL: study.uid, TRIAL_LABEL: str(trial), ATTEMPT_LABEL: str(attempt)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(study.name, study.uid, trial, attempt),
            "namespace": study.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(study)],
        },
        "spec": {
            **indexed(runs, at_once or runs),
            "backoffLimit": 0,
            "template": {"metadata": {"labels": labels}, "spec": _pod()},
            "podFailurePolicy": {"rules": [_fail_on_disruption(), _fail_on_exit_code()]},
        },
    }


def owner_reference(study: StudyKey) -> dict[str, Any]:
    """Return the reference that makes a study the controller of a Job."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": study.name,
        "uid": study.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _pod() -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "containers": [{"name": "trainer", "image": "trainer:1", "command": ["sleep", "3600"]}],
    }


def _fail_on_disruption() -> dict[str, Any]:
    return {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def _fail_on_exit_code() -> dict[str, Any]:
    return {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [0]}}
