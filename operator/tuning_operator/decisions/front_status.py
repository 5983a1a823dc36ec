"""What the status says of several objectives, and of the trials that it lists."""

from __future__ import annotations

from typing import Any

from tuning_contract.environment import ParameterValue
from tuning_operator.api.names import job_name
from tuning_operator.api.status import FrontTrial, ObjectiveStatus
from tuning_operator.decisions.feasibility import why_infeasible
from tuning_operator.decisions.front import losses_of
from tuning_operator.decisions.snapshot import Snapshot, StudyKey
from tuning_operator.decisions.trial_value import known_values, objective_values
from tuning_operator.decisions.trials import FinishedTrial

MAX_LISTED_PARAMETERS = 24
"""Lists of trials leave the parameters of larger spaces out: the status must stay small; the read API has them."""


def front_fields(snapshot: Snapshot) -> dict[str, Any]:
    """Return the fields of the status that a study of one objective does not have."""
    front, achieved = snapshot.history.front, snapshot.history.hypervolume
    if len(snapshot.spec.objectives) == 1:
        return {}
    return {
        "front": [_front_trial(snapshot, trial) for trial in front.shown],
        "front_size": len(front.members),
        "hypervolume": achieved.volume if achieved.reference else None,
        "objectives": _objectives(snapshot),
    }


def _front_trial(snapshot: Snapshot, trial: FinishedTrial) -> FrontTrial:
    return FrontTrial(
        number=trial.number,
        values=known_values(trial, snapshot.spec.objectives),
        parameters=listed_parameters(trial),
        job=job_of(snapshot.study, trial),
        infeasible=infeasible_of(snapshot, trial),
    )


def _objectives(snapshot: Snapshot) -> list[ObjectiveStatus]:
    objectives, reference = snapshot.spec.objectives, snapshot.history.hypervolume.reference
    ends = losses_of(reference, objectives) if reference else [None] * len(objectives)  # the sign undoes itself
    return [
        ObjectiveStatus(
            metric=objective.metric,
            best=objective_values(member.trial, objectives)[objective.metric],
            number=member.trial.number,
            reference=end,
        )
        for objective, member, end in zip(objectives, snapshot.history.front.ideal, ends, strict=False)
    ]


def listed_parameters(trial: FinishedTrial) -> dict[str, ParameterValue]:
    """Return a trial's parameters, where there are not too many."""
    return dict(trial.parameters) if len(trial.parameters) <= MAX_LISTED_PARAMETERS else {}


def infeasible_of(snapshot: Snapshot, trial: FinishedTrial) -> str:
    """Return which constraints a complete trial does not keep; empty: it keeps all."""
    return why_infeasible(known_values(trial, snapshot.spec.objectives), snapshot.spec.metric_constraints)


def job_of(study: StudyKey, trial: FinishedTrial) -> str:
    """Return the name of a trial's last Job."""
    return job_name(study.name, study.uid, trial.number, trial.attempt)
