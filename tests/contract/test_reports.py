from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuning_contract import FinalState, Report, ReportBatch, ReportReply, TrialEnd, WireError
from tuning_contract.reports import (
    MAX_BODY_BYTES,
    MAX_MESSAGE_LENGTH,
    MAX_METRICS_PER_REPORT,
    MAX_REASON_LENGTH,
    MAX_REPORTS_PER_BATCH,
    MAX_STEP,
    MAX_TIME,
    METRIC_NAME,
    number_from_json,
    number_to_json,
)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Machines that run tests are busy."""
storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)
metric_names = st.from_regex(METRIC_NAME, fullmatch=True)
reports = st.builds(
    Report,
    step=st.integers(0, MAX_STEP),
    values=st.dictionaries(metric_names, st.floats(allow_nan=False), min_size=1, max_size=5),
    time=st.none() | st.floats(0, MAX_TIME),
)
batches = st.builds(
    ReportBatch,
    reports=st.lists(reports, max_size=5).map(tuple),
    end=st.none() | st.builds(TrialEnd, state=st.sampled_from(FinalState), message=storable),
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["reports", "end", "step", "values", "time", "state", "message"]), inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


def body_of(**report: Any) -> bytes:
    return json.dumps({"reports": [{"step": 1, "values": {"loss": 0.5}, **report}]}).encode()


@unhurried
@given(batches)
def test_a_batch_is_read_as_it_was_written(batch: ReportBatch) -> None:
    assert ReportBatch.from_json(batch.to_json()) == batch


@unhurried
@given(st.booleans(), storable)
def test_a_reply_is_read_as_it_was_written(stop: bool, reason: str) -> None:
    reply = ReportReply(stop=stop, reason=reason[:MAX_REASON_LENGTH])
    assert ReportReply.from_json(reply.to_json()) == reply


@unhurried
@given(st.floats())
def test_every_float_survives_and_its_json_is_strict(number: float) -> None:
    text = json.dumps(number_to_json(number), allow_nan=False)
    read = number_from_json(json.loads(text), "value")
    assert read == number or (math.isnan(read) and math.isnan(number))


@unhurried
@given(st.binary())
def test_any_bytes_are_a_batch_or_a_wire_error(body: bytes) -> None:
    with contextlib.suppress(WireError):
        ReportBatch.from_json(body)


@unhurried
@given(documents)
def test_any_json_is_a_batch_or_a_wire_error(document: Any) -> None:
    body = json.dumps(document).encode()
    try:
        batch = ReportBatch.from_json(body)
    except WireError:
        return
    for report in batch.reports:
        assert 0 <= report.step <= MAX_STEP
        assert all(METRIC_NAME.fullmatch(name) for name in report.values)


@unhurried
@given(documents)
def test_any_answer_is_a_reply_or_a_wire_error(document: Any) -> None:
    try:
        reply = ReportReply.from_json(json.dumps(document).encode())
    except WireError:
        return
    assert isinstance(reply.stop, bool)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"reports": [{"step": 1' + b"0" * 5000 + b"}]}", "not JSON"),
        (b'{"reports": {}}', "must be a list"),
        (b'{"report": []}', "unknown field 'report'"),
        (b'{"reports": [3]}', r"reports\[0\] must be a JSON object"),
        (b'{"reports": [{"step": 1, "values": {"loss": NaN}}]}', 'send it as the string "NaN"'),
        (b'{"end": {"state": "Done"}}', "end.state must be one of Complete, Pruned, Failed"),
        (b'{"end": {"state": ["Complete"]}}', "end.state must be one of"),
        (b'{"end": "Complete"}', "end must be a JSON object"),
        (b'{"end": {"state": "Failed", "message": 3}}', "end.message must be a string"),
        (body_of(step=True), r"reports\[0\].step must be a whole number"),
        (body_of(step=-1), "step must be"),
        (body_of(step=1.5), "step must be"),
        (body_of(step=MAX_STEP + 1), "step must be"),
        (body_of(step=10**400), "step must be"),
        (body_of(values={}), "1 to 64 metrics"),
        (body_of(values=[0.5]), "1 to 64 metrics"),
        (body_of(values={f"m{i}": 0.0 for i in range(MAX_METRICS_PER_REPORT + 1)}), "1 to 64 metrics"),
        (body_of(values={"": 1.0}), "not a metric name"),
        (body_of(values={"a b": 1.0}), "not a metric name"),
        (body_of(values={"loss\n": 1.0}), "not a metric name"),
        (body_of(values={"a" * 129: 1.0}), "not a metric name"),
        (body_of(values={"loss": True}), r"reports\[0\].values.loss must be a number"),
        (body_of(values={"loss": None}), "must be a number"),
        (body_of(values={"loss": "nan"}), "must be a number"),
        (body_of(values={"loss": 10**400}), "too large for a 64-bit float"),
        (body_of(time="soon"), r"reports\[0\].time must be a number"),
        (body_of(time="NaN"), "seconds since 1970"),
        (body_of(time=-1), "seconds since 1970"),
        (body_of(time=1e300), "seconds since 1970"),
    ],
)
def test_a_hostile_body_is_refused_with_a_sentence(body: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        ReportBatch.from_json(body)


def test_a_body_that_is_too_long_is_not_even_parsed() -> None:
    with pytest.raises(WireError, match="longer than"):
        ReportBatch.from_json(b" " * (MAX_BODY_BYTES + 1))


def test_a_batch_with_too_many_reports_is_refused() -> None:
    reports = tuple(Report(step=step, values={"a": 0.0}) for step in range(MAX_REPORTS_PER_BATCH + 1))
    with pytest.raises(WireError, match=f"at most {MAX_REPORTS_PER_BATCH}"):
        ReportBatch.from_json(ReportBatch(reports).to_json())


def test_a_message_that_is_too_long_is_refused() -> None:
    end = TrialEnd(FinalState.FAILED, "x" * (MAX_MESSAGE_LENGTH + 1))
    with pytest.raises(WireError, match=r"end\.message"):
        ReportBatch.from_json(ReportBatch(end=end).to_json())


def test_a_message_is_cleaned_of_what_a_database_cannot_hold() -> None:
    body = rb'{"end": {"state": "Failed", "message": "a\u0000b\ud800c"}}'
    end = ReportBatch.from_json(body).end
    assert end == TrialEnd(FinalState.FAILED, "a\N{REPLACEMENT CHARACTER}b?c")


def test_the_longest_report_fits_into_a_body() -> None:
    values = {f"{i:03}" + "m" * 125: -math.pi * 1e-300 for i in range(MAX_METRICS_PER_REPORT)}
    body = ReportBatch((Report(MAX_STEP, values, MAX_TIME),)).to_json()
    assert len(body) <= MAX_BODY_BYTES
    assert ReportBatch.from_json(body).reports[0].values == values
