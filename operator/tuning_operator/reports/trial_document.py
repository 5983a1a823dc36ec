"""A trial as a JSON document: the same from the read API and from a local study."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tuning_contract.reports import number_to_json
from tuning_operator.decisions.trials import NO_LINEAGE, EndState, FinishedTrial, Lineage, OpenTrial
from tuning_operator.ports import StoredReport

WAITING = "WAITING"
"""State of a trial that was asked for and has not reported: it waits for its Job, its pod or its first report."""
RUNNING = "RUNNING"
"""State of a trial whose newest attempt has reported."""

STATES = (WAITING, RUNNING, *(state.value.upper() for state in EndState))
"""All states of a document."""

Document = dict[str, Any]


def trial_document(trial: OpenTrial | FinishedTrial) -> Document:
    """Return a trial as JSON; every document has every field, null where it does not apply.

    States are WAITING, RUNNING, COMPLETE, PRUNED and FAILED.

    Times are RFC 3339 in UTC; numbers that JSON does not know are the strings NaN, Infinity and -Infinity.
    """
    return {
        "number": trial.number,
        "state": _state(trial),
        "value": None if trial.value is None else number_to_json(trial.value),
        "further": {metric: number_to_json(value) for metric, value in trial.further.items()},
        "std": trial.std,
        "runValues": {str(run): number_to_json(value) for run, value in trial.run_values.items()},
        "parameters": dict(trial.parameters),
        "attempt": trial.attempt,
        "lineage": _lineage(trial.lineage),
        **(_ending(trial) if isinstance(trial, FinishedTrial) else _progress(trial)),
    }


def report_document(report: StoredReport) -> Document:
    """Return a report as JSON."""
    return {
        "attempt": report.attempt,
        "run": report.run,
        "step": report.step,
        "values": {name: number_to_json(value) for name, value in report.values.items()},
        "time": _timestamp(report.time),
    }


def _state(trial: OpenTrial | FinishedTrial) -> str:
    if isinstance(trial, FinishedTrial):
        return trial.state.value.upper()
    return WAITING if trial.first_report_at is None else RUNNING


def _lineage(lineage: Lineage) -> Document | None:
    if lineage == NO_LINEAGE:
        return None
    names = ("parent", "generation", "bracket", "rung", "budget", "note")
    return {**{name: getattr(lineage, name) for name in names}, "inherits": lineage.source is not None}


def _ending(trial: FinishedTrial) -> Document:
    return {
        "reason": trial.reason,
        "message": trial.message,
        "askedAt": None,
        "firstReportAt": None,
        "lastReportAt": None,
        "lastStep": None,
        "endedAt": _timestamp(trial.ended_at),
        "runningSeconds": trial.running_seconds,
    }


def _progress(trial: OpenTrial) -> Document:
    return {
        "reason": "",
        "message": "",
        "askedAt": _timestamp(trial.asked_at),
        "firstReportAt": _timestamp(trial.first_report_at),
        "lastReportAt": _timestamp(trial.last_report_at),
        "lastStep": trial.last_step,
        "endedAt": None,
        "runningSeconds": None,
    }


def _timestamp(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
