"""From what trials print to what they report."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning_contract.reports import MAX_METRICS_PER_REPORT, METRIC_NAME, Report, ReportBatch
from tuning_operator.api.trial_metrics import LogFormat, LogMetrics
from tuning_operator.ports import StoredReport
from tuning_operator.trial_logs.lines import MAX_LINE
from tuning_operator.trial_logs.parser import Anchor, LogParser

START = datetime(2027, 1, 15, 8, tzinfo=UTC)
KATIB = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
"""Katib's default filter."""


def parsed(log: str | bytes, objective: str = "accuracy", **logs: Any) -> list[tuple[int, dict[str, float]]]:
    """Return step and values of the reports of a whole log."""
    parser = LogParser(LogMetrics(**logs), objective, stamped=False)
    data = log.encode() if isinstance(log, str) else log
    return [(report.step, report.values) for report in (*parser.feed(data), *parser.close())]


def stamped(lines: Sequence[tuple[float, str]]) -> bytes:
    """Return a log as the API server sends it, from seconds after the start and text."""
    times = ((START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z") for seconds, _ in lines)
    return "".join(f"{time} {text}\n" for time, (_, text) in zip(times, lines, strict=True)).encode()


def resumed(parser: LogParser, log: bytes) -> list[Report]:
    """Return what is reported of a log that is opened again from where a parser stopped."""
    since = datetime.fromtimestamp(math.floor(parser.anchor.time), UTC) if parser.anchor.same_time else START
    lines = [line for line in log.splitlines(keepends=True) if line[:19].decode() >= since.isoformat()[:19]]
    again = LogParser(LogMetrics(), "accuracy", anchor=parser.anchor, stamped=True)
    return again.feed(b"".join(lines))


def test_each_value_of_the_objective_is_the_next_step() -> None:
    assert parsed("accuracy=0.1\nhello\naccuracy = 0.2\n") == [(1, {"accuracy": 0.1}), (2, {"accuracy": 0.2})]


def test_what_was_printed_before_the_objective_belongs_to_it() -> None:
    log = "loss=3\nloss=2\naccuracy=0.1\nloss=1, accuracy=0.2\n"
    assert parsed(log) == [(1, {"loss": 2.0, "accuracy": 0.1}), (2, {"loss": 1.0, "accuracy": 0.2})]


def test_other_metrics_alone_are_reported_at_the_end_so_that_people_see_them() -> None:
    assert parsed("loss=1\nacc=0.5\n") == [(1, {"loss": 1.0, "acc": 0.5})]


def test_a_named_step_is_used_and_gathers_what_belongs_to_it() -> None:
    log = "epoch=5 loss=2\naccuracy=0.1\nepoch=6\nepoch=7 loss=1\naccuracy=0.2\n"
    assert parsed(log, step="epoch") == [(5, {"loss": 2.0, "accuracy": 0.1}), (7, {"loss": 1.0, "accuracy": 0.2})]


@pytest.mark.parametrize("step", ["-1", "1.5", "nan", "inf", "1e300", "99999999999"])
def test_a_step_that_is_none_is_passed_over(step: str) -> None:
    assert parsed(f"epoch=3\nepoch={step} accuracy=1\n", step="epoch") == [(3, {"accuracy": 1.0})]


def test_a_last_line_without_an_end_counts() -> None:
    assert parsed("accuracy=0.25") == [(1, {"accuracy": 0.25})]


def test_of_a_progress_bar_the_last_state_counts() -> None:
    assert parsed("\r10% accuracy=0.1\r20% accuracy=0.2\raccuracy=0.3\r\n") == [(1, {"accuracy": 0.3})]


def test_a_long_progress_bar_needs_no_more_memory_than_a_line() -> None:
    parser = LogParser(LogMetrics(), "accuracy", stamped=False)
    for percent in range(20_000):
        assert parser.feed(b"\r%d it, accuracy=%.5f" % (percent, percent / 20_000) + b"." * 100) == []
    assert [report.values for report in parser.feed(b"\n")] == [{"accuracy": 0.99995}]


def test_a_line_that_is_too_long_is_skipped_whole() -> None:
    log = b"accuracy=1 " + b"x" * MAX_LINE + b" accuracy=2\naccuracy=3\n" + b"y" * 10 * MAX_LINE + b"accuracy=4\n"
    assert parsed(log) == [(1, {"accuracy": 3.0})]


@pytest.mark.parametrize(
    ("text", "value"),
    [("nan", math.nan), ("-inf", -math.inf), ("Infinity", math.inf), ("NaN", math.nan), ("1e999", math.inf)],
)
def test_a_training_that_diverges_is_seen(text: str, value: float) -> None:
    ((step, values),) = parsed(f"accuracy={text}\n")
    assert step == 1
    assert values["accuracy"] == pytest.approx(value, nan_ok=True)


def test_a_word_that_begins_like_infinity_is_no_number() -> None:
    assert parsed("accuracy=information\naccuracy=nanny\n") == []


@pytest.mark.parametrize("name", ["-loss", "naïveté", "x" * 200])
def test_names_that_the_wire_would_refuse_are_passed_over(name: str) -> None:
    assert parsed(f"{name}=1 accuracy=0.5\n", pattern=r"(\S+)=(\S+)") == [(1, {"accuracy": 0.5})]


def test_a_flood_of_names_leaves_room_for_the_objective() -> None:
    log = "".join(f"metric-{number}=1\n" for number in range(1000)) + "accuracy=0.5\n"
    ((_, values),) = parsed(log)
    assert values["accuracy"] == 0.5
    assert len(values) <= MAX_METRICS_PER_REPORT


def test_a_pattern_of_the_user_finds_metrics() -> None:
    log = "val acc: 93.5 %\nval acc: n/a\n"
    assert parsed(log, "acc", pattern=r"val (acc): ([\d.]+)") == [(1, {"acc": 93.5})]
    assert parsed("0.5 is acc\n", "acc", pattern=r"(?P<value>[\d.]+) is (?P<name>\w+)") == [(1, {"acc": 0.5})]


def test_a_pattern_that_would_hang_other_engines_takes_no_time() -> None:
    assert parsed(b"a" * MAX_LINE + b"\n", "a", pattern=r"((?:a+)+)(b)") == []


def test_json_lines_have_numbers_by_name() -> None:
    log = [
        '{"epoch": 1, "accuracy": 0.5, "loss": "2.5", "lr": {"head": 1}, "tags": [1], "ok": true, "note": "x"}',
        '{"epoch": 2, "accuracy": NaN}',
        "starting {json}",
        "[1, 2]",
        '{"accuracy": ',
        '{"accuracy": 1' + "0" * 400 + "}",
        "{" * 5000,
    ]
    first, second = parsed("\n".join(log), format=LogFormat.JSON, step="epoch")
    assert first == (1, {"accuracy": 0.5, "loss": 2.5})
    assert second[0] == 2
    assert math.isnan(second[1]["accuracy"])


@given(log=st.binary(), cuts=st.lists(st.integers(0, 200)), format=st.sampled_from(LogFormat))
def test_rubbish_in_any_portions_raises_nothing_and_gives_the_same(
    log: bytes, cuts: list[int], format: LogFormat
) -> None:
    log = b"accuracy=1\n" + log + b'\n{"accuracy": 2}\naccuracy=2\n'
    parser = LogParser(LogMetrics(format=format), "accuracy", stamped=False)
    places = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    portions = [log[start:end] for start, end in pairwise(places)]
    reports = [report for portion in portions for report in parser.feed(portion)] + parser.close()
    assert str([(report.step, report.values) for report in reports]) == str(parsed(log, format=format))
    for report in reports:
        assert ReportBatch.from_json(ReportBatch((report,)).to_json()).reports[0].step == report.step


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40))
def test_whatever_katibs_filter_finds_is_found(noise: str) -> None:
    line = f"{noise} loss=1.5e-3 {noise}accuracy = .5"
    theirs = {
        name: float(value)
        for name, value, *_ in re.findall(KATIB, line, re.ASCII)
        if METRIC_NAME.fullmatch(name) and re.fullmatch(r"[+-]?(\d*\.)?\d+([Ee][+-]?\d+)?", value)
    }
    ((_, ours),) = parsed(line + "\n")
    assert theirs.items() <= ours.items() or "|" in noise


@given(
    gaps=st.lists(st.sampled_from([0.0, 0.0, 0.000001, 0.4, 1.0, 3.7]), min_size=1, max_size=30),
    objective=st.lists(st.booleans(), min_size=30, max_size=30),
    cut=st.integers(0, 30),
    rotated=st.booleans(),
)
def test_a_log_that_is_opened_again_goes_on_where_it_broke_off(
    gaps: list[float], objective: list[bool], cut: int, rotated: bool
) -> None:
    lines, now = [], 0.0
    for number, gap in enumerate(gaps):
        now = round(now + gap, 6)
        lines.append((now, f"accuracy=0.{number}" if objective[number] else f"loss={number}"))
    whole = LogParser(LogMetrics(), "accuracy", stamped=True).feed(stamped(lines))
    first = LogParser(LogMetrics(), "accuracy", stamped=True)
    seen = first.feed(stamped(lines[:cut]))
    if rotated and seen:  # what was printed before lies in a file that nobody serves any more
        lines = [line for line in lines if START.timestamp() + line[0] >= first.anchor.time - 1e-7]
    assert seen + resumed(first, stamped(lines)) == whole


def test_the_anchor_of_stored_reports_is_that_of_the_parser() -> None:
    parser = LogParser(LogMetrics(), "accuracy", stamped=True)
    reports = parser.feed(stamped([(1, "accuracy=1"), (2, "accuracy=2"), (2, "accuracy=3"), (3, "loss=1")]))
    stored = [StoredReport(1, report.step, report.values, report.time or 0.0) for report in reports]
    assert Anchor.of(stored) == parser.anchor
    assert Anchor.of([]) == Anchor()


def test_a_kubelet_that_cannot_read_the_log_is_heard() -> None:
    parser = LogParser(LogMetrics(), "accuracy", stamped=True)
    assert parser.feed(b"unable to retrieve container logs for containerd://4711") == []
    assert parser.complaint == "unable to retrieve container logs for containerd://4711"


def test_an_unfinished_line_is_no_complaint() -> None:
    parser = LogParser(LogMetrics(), "accuracy", stamped=True)
    assert parser.feed(b"2027-01-15T08:00:00.5Z accuracy=0.5") == []
    assert parser.complaint == ""
    assert [report.values for report in parser.close()] == [{"accuracy": 0.5}]


def test_a_line_without_a_stamp_between_others_is_no_complaint() -> None:
    parser = LogParser(LogMetrics(), "accuracy", stamped=True)
    parser.feed(b"rest of a line\n" + stamped([(1, "accuracy=1")]) + b"accuracy=2\n")
    assert parser.complaint == ""
    assert parser.anchor.step == 1


def test_of_a_stamped_progress_bar_the_stamp_stays() -> None:
    parser = LogParser(LogMetrics(), "accuracy", stamped=True)
    bar = b"".join(b"\raccuracy=%d" % percent + b" " * 1000 for percent in range(100))
    (report,) = parser.feed(b"2027-01-15T08:00:00.5Z " + bar) + parser.feed(b"\n")
    assert report == Report(1, {"accuracy": 99.0}, START.timestamp() + 0.5)


def test_a_million_lines_are_read_in_bounded_memory() -> None:
    parser = LogParser(LogMetrics(), "accuracy", stamped=False)
    chunk = b"step 17 of 100, nothing to see here\n" * 1000
    steps = []
    for number in range(1000):
        reports = parser.feed(chunk + b"accuracy=0.%d\n" % number)
        steps += [report.step for report in reports]
    assert steps == list(range(1, 1001))
    assert parser.lines == 1_001_000


def test_json_and_text_read_the_same_numbers() -> None:
    values = {"accuracy": 0.25, "loss": 1e-7, "n": 3.0}
    text = " ".join(f"{name}={value}" for name, value in values.items())
    assert parsed(text) == parsed(json.dumps(values), format=LogFormat.JSON) == [(1, values)]


def test_of_several_objectives_the_first_ends_a_step_and_all_have_room() -> None:
    noise = "".join(f"n{number}=1\n" for number in range(200))
    parser = LogParser(LogMetrics(), "accuracy", "size", "latency", stamped=False)
    reports = parser.feed(f"{noise}size=7\nlatency=3\naccuracy=0.5\n{noise}accuracy=0.6\nsize=6\n".encode())
    assert [(report.values.get("accuracy"), report.values.get("size")) for report in reports] == [(0.5, 7), (0.6, None)]
    assert reports[0].values["latency"] == 3
    assert all(len(report.values) <= MAX_METRICS_PER_REPORT for report in reports)
    assert [report.values for report in parser.close()] == [{"size": 6}]
