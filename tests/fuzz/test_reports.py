"""What a trial sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.mutations import fuzzed, mutated
from tuning_contract import Report, ReportBatch, ReportReply, WireError
from tuning_contract.reports import MAX_MESSAGE_LENGTH, MAX_METRICS_PER_REPORT, MAX_STEP, MAX_TIME, METRIC_NAME

BATCH: dict[str, Any] = {
    "reports": [
        {"step": 1, "values": {"accuracy": 0.5, "loss": "NaN"}, "time": 1_800_000_000.0},
        {"step": 2, "values": {"accuracy": 1}},
    ],
    "end": {"state": "Failed", "message": "it broke"},
}


def _body(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


@fuzzed
@given(mutated(BATCH).map(_body) | st.binary(max_size=200))
@example(_body({"reports": [{"step": True, "values": {"a": 1}}]}))
@example(b'{"reports": [{"step": 1, "step": -1, "values": {"a": 1}}]}')
@example(b'{"reports": [{"step": 1e0, "values": {"a": 1}}]}')
@example(b"\xef\xbb\xbf{}")
@example('{"reports": []}'.encode("utf-16"))
def test_a_body_is_a_batch_within_all_bounds_or_is_refused(body: bytes) -> None:
    try:
        batch = ReportBatch.from_json(body)
    except WireError:
        return
    for report in batch.reports:
        assert 0 <= report.step <= MAX_STEP
        assert type(report.step) is int
        assert 1 <= len(report.values) <= MAX_METRICS_PER_REPORT
        assert all(METRIC_NAME.fullmatch(name) and type(value) is float for name, value in report.values.items())
        assert report.time is None or 0 <= report.time <= MAX_TIME
    if batch.end is not None:
        assert len(batch.end.message) <= MAX_MESSAGE_LENGTH
        assert "\x00" not in batch.end.message
        batch.end.message.encode()
    again = ReportBatch.from_json(batch.to_json())
    assert repr(again) == repr(batch)  # repr, for NaN is unlike itself


@fuzzed
@given(mutated({"stop": True, "reason": "Pruned"}).map(_body) | st.binary(max_size=100))
def test_a_reply_is_read_or_refused(body: bytes) -> None:
    try:
        reply = ReportReply.from_json(body)
    except WireError:
        return
    reply.reason.encode()


def test_a_whole_number_may_be_written_as_a_float() -> None:
    (report,) = ReportBatch.from_json(b'{"reports": [{"step": 4.0, "values": {"a": 1}}]}').reports
    assert report == Report(4, {"a": 1.0})


@pytest.mark.parametrize("name", ["__proto__", "__class__", "constructor", "a.b/c@d:e-f", "NaN", "0", "_" * 128])
def test_odd_names_that_are_allowed_stay_names(name: str) -> None:
    (report,) = ReportBatch.from_json(_body({"reports": [{"step": 0, "values": {name: 1}}]})).reports
    assert report.values == {name: 1.0}
