"""The wire format of a trial's reports: one JSON object per POST, and the JSON object that answers it.

A batch carries reports in the order in which they were made and, with the last one, how the trial ended:

    {"reports": [{"step": 1, "values": {"val_accuracy": 0.91, "val_loss": "NaN"}, "time": 1760000000.0}],
     "end": {"state": "Complete", "message": ""}}

    {"stop": true, "reason": "Pruned"}

JSON has no NaN and no infinities: they travel as the strings "NaN", "Infinity" and "-Infinity". Everything read here
may be hostile: sizes are limited, and whatever does not fit raises `WireError` with a sentence that names the place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Set
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from itertools import count
from typing import Any

MAX_BODY_BYTES = 256 * 1024
"""Longest body of a POST; the SDK splits longer batches."""

MAX_REPORTS_PER_BATCH = 500
"""Most reports in one POST."""

MAX_METRICS_PER_REPORT = 64
"""Most metrics in one report."""

MAX_STEP = 2**31 - 1
"""Largest step; the databases keep steps in 32 bits."""

MAX_MESSAGE_LENGTH = 1024
"""Longest message of a trial's end, in characters; longer ones are cut by the SDK."""

MAX_REASON_LENGTH = 64
"""Longest reason in a reply, in characters; longer ones are cut when read."""

MAX_TIME = 253_402_300_799.0
"""Largest time of a report: the last second of the year 9999, beyond which dates cannot be shown."""

METRIC_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@:-]{0,127}")
"""What a metric may be called, the same as in a study's `objectives`."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All control characters but tab and new line."""

_BATCH_FIELDS = frozenset({"reports", "end"})
_REPORT_FIELDS = frozenset({"step", "values", "time"})
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


to_json = json.JSONEncoder(allow_nan=False).encode
"""Turns a document into JSON's text; `json.dumps` would make an encoder for each."""


class WireError(ValueError):
    """A body does not follow the wire format; the message is a sentence for the sender."""


class FinalState(str, Enum):
    """How the training process says that its trial ended."""

    COMPLETE = "Complete"
    PRUNED = "Pruned"
    FAILED = "Failed"


@dataclass(frozen=True)
class Report:
    """The values of some metrics after a step of a trial."""

    step: int
    """Steps done, from 1; usually epochs."""
    values: dict[str, float]
    """Metric name to value; NaN and infinities are allowed."""
    time: float | None = None
    """Seconds since 1970 by the sender's clock, for people only."""


@dataclass(frozen=True)
class TrialEnd:
    """The SDK's last message."""

    state: FinalState
    message: str = ""


@dataclass(frozen=True)
class ReportBatch:
    """The body of one POST."""

    reports: tuple[Report, ...] = ()
    end: TrialEnd | None = None

    def to_json(self) -> bytes:
        body: dict[str, Any] = {"reports": [_report_to_json(report) for report in self.reports]}
        if self.end is not None:
            body["end"] = {"state": self.end.state.value, "message": self.end.message}
        return to_json(body).encode()

    @classmethod
    def from_json(cls, body: bytes) -> ReportBatch:
        """Parse a body.

        Raises
        ------
        WireError
            The body is too long, is no JSON, or does not have the form above.
        """
        if len(body) > MAX_BODY_BYTES:
            raise WireError(f"the body is longer than {MAX_BODY_BYTES} bytes; send fewer reports at a time")
        document = _object(parse_json(body), "the body", _BATCH_FIELDS)
        reports = document.get("reports", [])
        if not isinstance(reports, list) or len(reports) > MAX_REPORTS_PER_BATCH:
            raise WireError(f"`reports` must be a list of at most {MAX_REPORTS_PER_BATCH} reports")
        end = document.get("end")
        return cls(
            reports=tuple(map(_report_from_json, reports, count())),
            end=None if end is None else _end_from_json(end),
        )


@dataclass(frozen=True)
class ReportReply:
    """The answer to a POST, given after its reports are durable."""

    stop: bool = False
    """Whether the trial should stop now."""
    reason: str = field(default="")
    """Why: a CamelCase word such as Pruned, Superseded or Stopped; empty when it should go on."""

    def to_json(self) -> bytes:
        return _reply_to_json(self.stop, self.reason)

    @classmethod
    def from_json(cls, body: bytes) -> ReportReply:
        document = parse_json(body)
        if not isinstance(document, dict) or not isinstance(document.get("stop"), bool):
            raise WireError("the reply has no boolean `stop`")
        return cls(stop=document["stop"], reason=_storable(str(document.get("reason", "")))[:MAX_REASON_LENGTH])


@lru_cache(maxsize=64)
def _reply_to_json(stop: bool, reason: str) -> bytes:
    """Most replies are the same few."""
    return to_json({"stop": stop, "reason": reason}).encode()


def parse_json(body: bytes) -> Any:
    """Return what a body says; raise `WireError` if it is no JSON, or holds one of the constants that JSON has not."""
    try:
        return _DECODER.decode(body.decode())
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(f"the body is not JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise WireError(f'{name} is not JSON; send it as the string "{name}"')


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""`json.loads` would make one for each body."""


def _object(value: Any, place: str, allowed: Set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WireError(f"{place} must be a JSON object")
    unknown = value.keys() - allowed
    if unknown:
        raise WireError(f"{place} has the unknown field {min(unknown)[:64]!r}; known are {', '.join(sorted(allowed))}")
    return value


def _report_to_json(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = {
        "step": report.step,
        "values": {name: number_to_json(value) for name, value in report.values.items()},
    }
    if report.time is not None:
        document["time"] = report.time
    return document


def _report_from_json(value: Any, index: int) -> Report:
    place = f"reports[{index}]"
    document = _object(value, place, _REPORT_FIELDS)
    step = document.get("step")
    if isinstance(step, float) and step.is_integer():
        step = int(step)  # JSON has one kind of number: some languages write 4.0
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step <= MAX_STEP:
        raise WireError(f"{place}.step must be a whole number from 0 to {MAX_STEP}")
    values = document.get("values")
    if not isinstance(values, dict) or not 1 <= len(values) <= MAX_METRICS_PER_REPORT:
        raise WireError(f"{place}.values must be an object of 1 to {MAX_METRICS_PER_REPORT} metrics")
    for name in values:
        if not METRIC_NAME.fullmatch(name):
            raise WireError(f"{place}.values: {name[:64]!r} is not a metric name ({METRIC_NAME.pattern})")
    time = document.get("time")
    return Report(
        step=step,
        values={name: number_from_json(number, place, "values", name) for name, number in values.items()},
        time=None if time is None else _time_from_json(time, f"{place}.time"),
    )


def _time_from_json(value: Any, place: str) -> float:
    time = number_from_json(value, place)
    if not 0 <= time <= MAX_TIME:  # NaN fails too
        raise WireError(f"{place} must be the seconds since 1970, before the year 10000")
    return time


def _end_from_json(value: Any) -> TrialEnd:
    document = _object(value, "end", {"state", "message"})
    try:
        state = FinalState(document.get("state"))
    except ValueError:
        raise WireError(f"end.state must be one of {', '.join(state.value for state in FinalState)}") from None
    message = document.get("message", "")
    if not isinstance(message, str) or len(message) > MAX_MESSAGE_LENGTH:
        raise WireError(f"end.message must be a string of at most {MAX_MESSAGE_LENGTH} characters")
    return TrialEnd(state=state, message=_storable(message))


def _storable(text: str) -> str:
    """Return the text without what a database, a log or a terminal cannot bear: halves of surrogate pairs, and control
    characters, for a terminal obeys them."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).encode("utf-8", "replace").decode()


def number_to_json(value: float) -> float | str:
    """Return a number as JSON can carry it: NaN and infinities as strings."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def number_from_json(value: Any, *place: str) -> float:
    """Return the number that `number_to_json` wrote; raise `WireError` for anything else, naming its place."""
    if type(value) is float:
        return value
    if isinstance(value, str) and value in _NON_FINITE:
        return _NON_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise WireError(f'{".".join(place)} must be a number, "NaN", "Infinity" or "-Infinity"')
    try:
        return float(value)
    except OverflowError:
        raise WireError(f"{'.'.join(place)} is too large for a 64-bit float") from None
