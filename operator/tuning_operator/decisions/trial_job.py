"""The Job of an attempt: the user's template with the trial's environment in it."""

from __future__ import annotations

import copy
import json
from typing import Any

from tuning_contract import TrialEnvironment
from tuning_contract.environment import PARAMETER_PREFIX, ParameterValue, parameter_text
from tuning_operator.api.durations import seconds_of
from tuning_operator.api.names import (
    API_VERSION,
    ATTEMPT_LABEL,
    KIND,
    PARAMETERS_ANNOTATION,
    PARENT_LABEL,
    PRIORITY_LABEL,
    QUEUE_LABEL,
    STUDY_ANNOTATION,
    STUDY_UID_LABEL,
    TRIAL_LABEL,
    job_name,
)
from tuning_operator.api.parameters import Parameter, ParameterType, Scalar
from tuning_operator.api.study import StudySpec
from tuning_operator.api.trial_template import Queue, trainer_container
from tuning_operator.decisions.report_access import NO_REPORTS, ReportAccess, mount_token
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trial_runs import base_seed, container_variables, indexed
from tuning_operator.decisions.trial_volumes import add_volumes, checkpoint_dir, resume_from
from tuning_operator.decisions.trials import OpenTrial


def trial_job(study: StudyKey, spec: StudySpec, trial: OpenTrial, reports: ReportAccess) -> dict[str, Any]:
    """Return the batch/v1 Job of a trial's newest attempt; each of its runs is a pod.

    Retries are new attempts with Jobs of their own, so the Job itself never retries: its failure policy only makes its
    condition say why it failed, a disruption first.
    """
    template = copy.deepcopy(spec.trial.template)
    if spec.trial.metrics.read_from_logs is not None:
        reports = NO_REPORTS  # there is one way for metrics
    runs, parameters = spec.trial.runs, given_parameters(spec, trial)
    environment = TrialEnvironment(
        study=study.name,
        namespace=study.namespace,
        trial=trial.number,
        parameters=parameters,
        attempt=trial.attempt,
        report_url=reports.url,
        report_token=reports.token,
        report_token_file=reports.token_file,
        report_ca=reports.ca,
        parameter_url=reports.parameter_url if spec.define_by_run else None,
        checkpoint_dir=checkpoint_dir(study, spec, trial),
        resume_from=resume_from(study, spec, trial),
        folds=spec.trial.folds or None,
        seed=base_seed(trial.seed, runs),
        budget=trial.lineage.budget,
        objective=spec.objective.metric if len(spec.objectives) == 1 else None,
        objectives=() if len(spec.objectives) == 1 else tuple(objective.metric for objective in spec.objectives),
    )
    variables = container_variables({**environment.variables(), **_stand_ins(spec, trial)}, runs)
    container = _prepare_pod(template, study, trial, variables)
    add_volumes(template["spec"], container, spec)
    if reports.audience is not None:
        mount_token(template["spec"], container, reports.audience)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(study.name, study.uid, trial.number, trial.attempt),
            "namespace": study.namespace,
            "labels": {**_labels(study, trial), **_parent_label(trial), **_queue_labels(spec.trial.queue)},
            "annotations": {
                STUDY_ANNOTATION: study.name,
                PARAMETERS_ANNOTATION: json.dumps(parameters, sort_keys=True),
            },
            "ownerReferences": [_owner(study)],
        },
        "spec": {
            **indexed(runs, spec.trial.runs_at_once),
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": seconds_of(spec.trial.ttl_after_finished),
            "podFailurePolicy": {"rules": _failure_rules(str(container.get("name", "")))},
            "template": template,
        },
    }


def given_parameters(spec: StudySpec, trial: OpenTrial) -> dict[str, ParameterValue]:
    """Return the parameters that a trial has before its code runs, which may name others; those of each attempt."""
    values = trial.parameters
    if not spec.define_by_run:
        return dict(values)
    return {each.name: values[each.name] for each in spec.parameters if each.name in values}


def sample_trial(spec: StudySpec) -> OpenTrial:
    """Return a trial with one allowed value of each parameter, to try its Job without creating it."""
    values: dict[str, Scalar] = {}
    for parameter in spec.parameters:
        if parameter.is_active(values):
            values[parameter.name] = _sample_value(parameter)
    return OpenTrial(number=0, parameters=values)


def _sample_value(parameter: Parameter) -> Scalar:
    if parameter.choices:
        return parameter.choices[0]
    if parameter.low is not None:
        return int(parameter.low) if parameter.type is ParameterType.INT else parameter.low
    assert parameter.value is not None
    return parameter.value


def _stand_ins(spec: StudySpec, trial: OpenTrial) -> dict[str, str]:
    """Return the variables of parameters that the trial does not have."""
    missing = (parameter for parameter in spec.parameters if parameter.name not in trial.parameters)
    return {
        PARAMETER_PREFIX + parameter.name: parameter_text(parameter.otherwise)
        for parameter in missing
        if parameter.otherwise is not None
    }


def _labels(study: StudyKey, trial: OpenTrial) -> dict[str, str]:
    return {STUDY_UID_LABEL: study.uid, TRIAL_LABEL: str(trial.number), ATTEMPT_LABEL: str(trial.attempt)}


def _parent_label(trial: OpenTrial) -> dict[str, str]:
    return {} if trial.lineage.source is None else {PARENT_LABEL: str(trial.lineage.source)}


def _queue_labels(queue: Queue | None) -> dict[str, str]:
    """Kueue's webhook suspends a Job that has them; nobody else may touch `spec.suspend`."""
    if queue is None:
        return {}
    priority = {} if queue.priority_class is None else {PRIORITY_LABEL: queue.priority_class}
    return {QUEUE_LABEL: queue.kueue, **priority}


def _owner(study: StudyKey) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": study.name,
        "uid": study.uid,
        "controller": True,
        # true would need the right to update the study's finalizers
        "blockOwnerDeletion": False,
    }


def _failure_rules(container: str) -> list[dict[str, Any]]:
    return [
        {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"containerName": container, "operator": "NotIn", "values": [0]}},
    ]


def _prepare_pod(
    template: dict[str, Any], study: StudyKey, trial: OpenTrial, variables: list[dict[str, Any]]
) -> dict[str, Any]:
    """Write into the template what is the operator's; return the training container."""
    metadata = template["metadata"] = template.get("metadata") or {}
    metadata["labels"] = {**(metadata.get("labels") or {}), **_labels(study, trial)}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), STUDY_ANNOTATION: study.name}
    pod = template["spec"]
    pod["restartPolicy"] = "Never"
    pod.setdefault("automountServiceAccountToken", False)
    trainer = trainer_container(template)
    containers: list[dict[str, Any]] = pod["containers"]
    container = next(container for container in containers if container is trainer)
    # First, so that the template's own variables can refer to them.
    container["env"] = [*variables, *(container.get("env") or ())]
    return container
