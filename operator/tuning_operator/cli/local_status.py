"""The status of a study on this machine, computed from its history as the operator would. Pure."""

from __future__ import annotations

from tuning_operator.api.names import job_name
from tuning_operator.api.status import Condition, ConditionType, StudyStatus
from tuning_operator.api.study import StudySpec, Suspend
from tuning_operator.decisions.history import History
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import Snapshot, StudyKey
from tuning_operator.decisions.study_status import study_status
from tuning_operator.decisions.trials import OpenTrial


def local_status(
    study: StudyKey, spec: StudySpec, history: History, *, running: bool, now: float, way_on: str
) -> StudyStatus:
    """Return the status; a study that no process runs is suspended, and `way_on` is the command that resumes it."""
    if not running:
        spec = spec.model_copy(update={"suspend": Suspend(enabled=True)})
    jobs = tuple(_job(study, trial) for trial in history.open) if running else ()
    snapshot = Snapshot(now=now, study=study, generation=1, spec=spec, history=history, jobs=jobs)
    status = study_status(snapshot, read_token="")
    conditions = [_explained(condition, way_on) for condition in status.conditions]
    return status.model_copy(update={"conditions": conditions})


def _job(study: StudyKey, trial: OpenTrial) -> TrialJob:
    """An open trial of a study that runs here has its process since it was asked for."""
    name = job_name(study.name, study.uid, trial.number, trial.attempt)
    return TrialJob(name, trial.number, trial.attempt, JobPhase.RUNNING, trial.asked_at, running_at=trial.asked_at)


def _explained(condition: Condition, way_on: str) -> Condition:
    if condition.type is not ConditionType.SUSPENDED or condition.status != "True":
        return condition
    return condition.model_copy(update={"reason": "NotRunning", "message": f"`{way_on}` goes on with it"})
