"""Builders of the values that tests are about: say what matters, the rest is plausible."""

from __future__ import annotations

from typing import Any

from tuning_contract import FinalState, TrialEnd
from tuning_operator.api.names import API_VERSION, KIND
from tuning_operator.api.study import StudySpec, TuningStudy
from tuning_operator.api.validation import parse_study
from tuning_operator.decisions.actions import NewAttempt
from tuning_operator.decisions.history import ActiveTime, History
from tuning_operator.decisions.seen_jobs import JobPhase, TrialJob
from tuning_operator.decisions.snapshot import Snapshot, StudyKey
from tuning_operator.decisions.trials import (
    NOTHING_SAID,
    EarlierAttempts,
    EndState,
    FinishedTrial,
    LastWords,
    OpenTrial,
)

NOW = 1_800_000_000.0
"""The time in snapshots, seconds since 1970."""
STUDY = StudyKey("team-a", "digits", "11112222-3333-4444-5555-666677778888")


def spec_document(**fields: Any) -> dict[str, Any]:
    """Return a study's spec as JSON, with camelCase fields replaced or added."""
    return {
        "objectives": [{"metric": "accuracy", "direction": "Maximize"}],
        "parameters": [{"name": "lr", "type": "Float", "low": 1e-5, "high": 1e-1, "scale": "Log"}],
        "maxTrials": 10,
        "parallelism": 2,
        "trial": trial_fields(),
        **fields,
    }


def trial_fields(**fields: Any) -> dict[str, Any]:
    """Return the spec's `trial`, with camelCase fields added."""
    return {"template": {"spec": {"containers": [{"name": "trainer", "command": ["train"]}]}}, **fields}


def study_document(name: str = STUDY.name, generation: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a TuningStudy as the API server shows it."""
    metadata = {"name": name, "namespace": STUDY.namespace, "uid": STUDY.uid, "generation": generation}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec_document(**fields)}


def study(**fields: Any) -> TuningStudy:
    """Return a parsed TuningStudy."""
    return parse_study(study_document(**fields))


def spec(**fields: Any) -> StudySpec:
    """Return a parsed spec."""
    return study(**fields).spec


def trial(number: int = 0, **fields: Any) -> OpenTrial:
    """Return an open trial."""
    return OpenTrial(number=number, parameters={"lr": 0.01}, asked_at=NOW - 60, **fields)


def reported(number: int = 0, value: float = 0.5, step: int = 1, **fields: Any) -> OpenTrial:
    """Return an open trial that reported its objective."""
    times = {"first_report_at": NOW - 30, "last_report_at": NOW - 10}
    return trial(number, **{**times, "last_step": step, "metrics": ("accuracy",), "value": value, **fields})


def ended(state: str, message: str = "") -> TrialEnd:
    """Return an SDK's last message."""
    return TrialEnd(FinalState(state), message)


def new_attempt(number: int = 0, attempt: int = 2, after: LastWords = NOTHING_SAID, **earlier: Any) -> NewAttempt:
    """Return an attempt that follows; `after` is what was said of the one before."""
    fields = {"disruptions": 1, "reason": "Evicted", **earlier}
    return NewAttempt(number, attempt, fields["reason"], EarlierAttempts(**fields), after=after)


def finished(number: int = 0, state: str = "Complete", value: float | None = 0.9, **fields: Any) -> FinishedTrial:
    """Return a finished trial."""
    defaults: dict[str, Any] = {
        "parameters": {"lr": 0.01},
        "reason": state,
        "message": "",
        "attempt": 1,
        "ended_at": NOW - 1,
        "running_seconds": 30.0,
    }
    return FinishedTrial(number=number, state=EndState(state), value=value, **{**defaults, **fields})


def job(number: int = 0, phase: str = "Running", attempt: int = 1, **fields: Any) -> TrialJob:
    """Return a Job."""
    defaults: dict[str, Any] = {"created_at": NOW - 60}
    if phase != "Pending":
        defaults["running_at"] = NOW - 50
    if phase in ("Complete", "Failed"):
        defaults["ended_at"] = NOW - 1
    if phase == "Failed":
        defaults["cause"] = ""
    name = f"digits-11112222-{number}-{attempt}"
    return TrialJob(name=name, trial=number, attempt=attempt, phase=JobPhase(phase), **{**defaults, **fields})


def history(*trials: OpenTrial, **fields: Any) -> History:
    """Return a history with these open trials; without a total, they are all trials there ever were."""
    finished_count = sum(fields.get(state, 0) for state in ("complete", "pruned", "failed"))
    defaults: dict[str, Any] = {"total": len(trials) + finished_count}
    if defaults["total"]:
        defaults["started_at"] = NOW - 100
        defaults["active"] = ActiveTime(since=NOW - 100)
    return History(open=trials, **{**defaults, **fields})


def snapshot(*trials: OpenTrial, jobs: tuple[TrialJob, ...] = (), **fields: Any) -> Snapshot:
    """Return a snapshot; fields of `Snapshot`, of `History` and of the spec (camelCase) can be mixed."""
    of_snapshot = {name: fields.pop(name) for name in tuple(fields) if name in Snapshot.__dataclass_fields__}
    of_history = {name: fields.pop(name) for name in tuple(fields) if name in History.__dataclass_fields__}
    defaults: dict[str, Any] = {
        "now": NOW,
        "study": STUDY,
        "generation": 1,
        "spec": spec(**fields),
        "history": history(*trials, **of_history),
        "jobs": jobs,
    }
    return Snapshot(**{**defaults, **of_snapshot})
