"""The JSON schemas of what goes over HTTP, with the limits that the code has."""

from __future__ import annotations

from typing import Any

from tuning_contract import FinalState
from tuning_contract.reports import (
    MAX_MESSAGE_LENGTH,
    MAX_METRICS_PER_REPORT,
    MAX_REASON_LENGTH,
    MAX_REPORTS_PER_BATCH,
    MAX_STEP,
    MAX_TIME,
    METRIC_NAME,
)
from tuning_operator.api.names import NAMED_PARAMETER
from tuning_operator.api.scalars import MAX_TEXT
from tuning_operator.reports.read_api import MOST_TRIALS
from tuning_operator.reports.trial_document import STATES

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """Return the schemas by name; they refer to one another as an OpenAPI document's components."""
    return {
        "Number": _NUMBER,
        "MetricValues": _METRIC_VALUES,
        "Report": _REPORT,
        "ReportBatch": _REPORT_BATCH,
        "ReportReply": _REPORT_REPLY,
        "ParameterRequest": _PARAMETER_REQUEST,
        "ParameterReply": _object({"value": _SCALAR}),
        "Trial": _trial(),
        "StoredReport": _STORED_REPORT,
        "TrialWithReports": _trial(reports={"type": "array", "items": reference("StoredReport")}),
        "TrialPage": _TRIAL_PAGE,
        "Error": _object({"error": {"type": "string", "description": "A sentence for people."}}),
    }


def reference(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: dict[str, Schema], required: list[str] | None = None, **more: Any) -> Schema:
    """Return the schema of an object that has these properties and no others; all are required unless told."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
        **more,
    }


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_NUMBER: Schema = {
    "description": "A 64-bit float. JSON has no NaN and no infinities: they are strings.",
    "anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}],
}

_METRIC_VALUES: Schema = {
    "type": "object",
    "description": "Values by the metrics' names.",
    "minProperties": 1,
    "maxProperties": MAX_METRICS_PER_REPORT,
    "propertyNames": {"pattern": f"^{METRIC_NAME.pattern}$"},
    "additionalProperties": reference("Number"),
}

_STEP: Schema = {
    "type": "integer",
    "minimum": 0,
    "maximum": MAX_STEP,
    "description": "Steps done, usually epochs, counted from 1. The first report of a step wins.",
}

_REPORT = _object(
    {
        "step": _STEP,
        "values": reference("MetricValues"),
        "time": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": MAX_TIME,
            "description": "Seconds since 1970 by the sender's clock, for people only.",
        },
    },
    required=["step", "values"],
)

_TRIAL_END = _object(
    {
        "state": {"type": "string", "enum": [state.value for state in FinalState]},
        "message": {"type": "string", "maxLength": MAX_MESSAGE_LENGTH, "default": ""},
    },
    required=["state"],
    description="How the trial ended; sent once, with or after its last report.",
)

_REPORT_BATCH = _object(
    {
        "reports": {
            "type": "array",
            "maxItems": MAX_REPORTS_PER_BATCH,
            "items": reference("Report"),
            "description": "In the order in which they were made.",
        },
        "end": _nullable(_TRIAL_END),
    },
    required=[],
)

_REPORT_REPLY = _object(
    {
        "stop": {"type": "boolean", "description": "Whether the trial should stop now."},
        "reason": {
            "type": "string",
            "maxLength": MAX_REASON_LENGTH,
            "description": "Why, as a CamelCase word like Pruned; empty when the trial should go on.",
        },
    }
)

_SCALAR: Schema = {"type": ["string", "number", "boolean"], "maxLength": MAX_TEXT}

_PARAMETER_REQUEST = _object(
    {
        "name": {"type": "string", "pattern": NAMED_PARAMETER},
        "type": {"type": "string", "enum": ["Float", "Int", "Categorical"]},
        "low": {"type": "number", "description": "Smallest value of a Float or Int, included."},
        "high": {"type": "number", "description": "Largest value of a Float or Int, included."},
        "step": {"type": "number", "exclusiveMinimum": 0, "description": "Distance between values."},
        "scale": {"type": "string", "enum": ["Linear", "Log"], "description": "Linear where it is left out."},
        "choices": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _SCALAR},
    },
    required=["name", "type"],
    description="As an item of a study's `parameters`: a Float or Int with `low` and `high`, or a Categorical.",
)

_TIME: Schema = {"type": "string", "format": "date-time"}

_STORED_REPORT = _object(
    {
        "attempt": {"type": "integer", "minimum": 1},
        "run": {"type": "integer", "minimum": 0, "description": "Which repeat or fold of the trial."},
        "step": _STEP,
        "values": reference("MetricValues"),
        "time": _TIME,
    }
)

_TRIAL_PAGE = _object(
    {
        "trials": {"type": "array", "maxItems": MOST_TRIALS, "items": reference("Trial")},
        "next": {
            "type": ["integer", "null"],
            "description": "The `after` of the next page; null: this was the last one.",
        },
    }
)


_LINEAGE = _object(
    {
        "parent": {"type": ["integer", "null"], "description": "The trial that it descends from."},
        "inherits": {"type": "boolean", "description": "Whether it goes on from its parent's checkpoint."},
        "generation": {"type": ["integer", "null"]},
        "bracket": {"type": ["integer", "null"]},
        "rung": {"type": ["integer", "null"]},
        "budget": {"type": ["integer", "null"], "description": "Its last step, those of its ancestors counted."},
        "note": {"type": "string", "description": "How it differs from its parent."},
    }
)


def _trial(**more: Schema) -> Schema:
    properties: dict[str, Schema] = {
        "number": {"type": "integer", "minimum": 0},
        "state": {
            "type": "string",
            "enum": list(STATES),
            "description": "Of an open trial only whether it has reported is known here.",
        },
        "value": _nullable(reference("Number")) | {"description": "The first objective, so far or in the end."},
        "further": {
            "type": "object",
            "additionalProperties": reference("Number"),
            "description": "The other objectives by metric, and metrics that have a constraint, as far as reported.",
        },
        "std": _nullable({"type": "number"}) | {"description": "Standard deviation over the runs, of several."},
        "runValues": {
            "type": "object",
            "propertyNames": {"pattern": "^[0-9]{1,3}$"},
            "additionalProperties": reference("Number"),
            "description": "The objective of each of several runs, so far or in the end, by the run's number.",
        },
        "parameters": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        "attempt": {"type": "integer", "minimum": 1, "description": "The newest attempt."},
        "lineage": _nullable(_LINEAGE) | {"description": "What a strategy says of it; null: none does."},
        "reason": {"type": "string", "description": "Why it ended, as a CamelCase word; empty while it is open."},
        "message": {"type": "string"},
        "askedAt": _nullable(_TIME),
        "firstReportAt": _nullable(_TIME),
        "lastReportAt": _nullable(_TIME),
        "lastStep": {"type": ["integer", "null"]},
        "endedAt": _nullable(_TIME),
        "runningSeconds": {"type": ["number", "null"], "description": "With a running pod, over all attempts."},
    }
    return _object({**properties, **more})
