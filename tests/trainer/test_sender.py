from __future__ import annotations

import logging
import os
import threading
from itertools import islice

import pytest

from tests.trainer.conftest import OpenSender
from tests.trainer.fake_operator import Answer, FakeOperator
from tuning_contract import FinalState, Report, ReportReply, TrialEnd
from tuning_contract.reports import MAX_BODY_BYTES, MAX_METRICS_PER_REPORT, MAX_REPORTS_PER_BATCH
from tuning_trainer.backoff import Backoff

DEADLINE = 60.0
COMPLETE = TrialEnd(FinalState.COMPLETE)


def report(step: int) -> Report:
    return Report(step, {"loss": 1 / step})


def test_reports_arrive_in_order_and_the_end_after_them(operator: FakeOperator, open_sender: OpenSender) -> None:
    sender = open_sender()
    for step in range(1, 1501):
        sender.report(report(step))
    sender.end(COMPLETE)
    assert sender.flush(DEADLINE) == 0
    assert operator.steps == list(range(1, 1501))
    assert operator.ends == [COMPLETE]
    assert operator.batches[-1].end == COMPLETE
    assert operator.connections == 1


def test_reporting_does_not_wait_for_an_operator_that_does_not_answer(
    operator: FakeOperator, open_sender: OpenSender
) -> None:
    operator.open_gate.clear()
    sender = open_sender()
    for step in range(1, 101):
        sender.report(report(step))
    assert operator.batches == []
    operator.open_gate.set()
    assert sender.flush(DEADLINE) == 0
    assert operator.steps == list(range(1, 101))
    assert len(operator.batches) < 100, "what is reported during a request goes out together"


def test_no_report_is_lost_while_the_operator_restarts(operator: FakeOperator, open_sender: OpenSender) -> None:
    sender = open_sender()
    sender.report(report(1))
    assert sender.flush(DEADLINE) == 0
    operator.stop()
    sender.report(report(2))
    sender.report(report(3))
    assert sender.flush(0.05) == 2
    operator.start()
    assert sender.flush(DEADLINE) == 0
    assert operator.steps == [1, 2, 3]


def test_a_report_whose_answer_was_cut_off_is_repeated(operator: FakeOperator, open_sender: OpenSender) -> None:
    operator.answers.extend([Answer(cut=True), Answer(503), Answer(429)])
    sender = open_sender()
    sender.report(report(1))
    assert sender.flush(DEADLINE) == 0
    assert operator.steps == [1, 1, 1, 1]


def test_the_servers_retry_after_comes_before_the_own_delay(operator: FakeOperator, open_sender: OpenSender) -> None:
    operator.answers.append(Answer(503, headers={"Retry-After": "0"}))
    sender = open_sender(Backoff(first=3600, ceiling=3600))
    sender.report(report(1))
    assert sender.flush(DEADLINE) == 0


def test_an_outage_is_one_line_in_the_log(
    operator: FakeOperator, open_sender: OpenSender, caplog: pytest.LogCaptureFixture
) -> None:
    operator.answers.extend([Answer(503, b"no leader")] * 5)
    sender = open_sender()
    sender.report(report(1))
    assert sender.flush(DEADLINE) == 0
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "The operator does not take reports now, they will be sent again: status 503: no leader"
    ]


def test_refused_reports_count_as_lost_and_later_ones_are_still_sent(
    operator: FakeOperator, open_sender: OpenSender, caplog: pytest.LogCaptureFixture
) -> None:
    operator.answers.append(Answer(401, b'{"error": "the token is of another attempt"}'))
    sender = open_sender()
    sender.report(report(1))
    assert sender.flush(DEADLINE) == 1
    sender.report(report(2))
    assert sender.flush(DEADLINE) == 1
    assert operator.steps == [1, 2]
    assert "status 401: the token is of another attempt" in caplog.text


def test_an_end_that_was_refused_does_not_hold_up_the_exit(operator: FakeOperator, open_sender: OpenSender) -> None:
    operator.answers.append(Answer(410))
    sender = open_sender()
    sender.end(COMPLETE)
    assert sender.flush(DEADLINE) == 0


def test_the_newest_answer_counts(operator: FakeOperator, open_sender: OpenSender) -> None:
    operator.answers.extend([Answer(), Answer(body=ReportReply(stop=True, reason="Superseded").to_json())])
    sender = open_sender()
    sender.report(report(1))
    sender.flush(DEADLINE)
    assert sender.reply == ReportReply()
    sender.report(report(2))
    sender.flush(DEADLINE)
    assert sender.reply == ReportReply(stop=True, reason="Superseded")


def test_the_first_end_counts(operator: FakeOperator, open_sender: OpenSender) -> None:
    sender = open_sender()
    sender.end(COMPLETE)
    sender.end(TrialEnd(FinalState.FAILED, "too late"))
    assert sender.ended
    assert sender.flush(DEADLINE) == 0
    assert operator.ends == [COMPLETE]


def test_batches_are_split_by_the_limits_of_the_wire_format(operator: FakeOperator, open_sender: OpenSender) -> None:
    operator.open_gate.clear()
    wide = {f"{i:03}" + "m" * 125: 1 / 3 for i in range(MAX_METRICS_PER_REPORT)}
    sender = open_sender()
    for step in range(1, 101):
        sender.report(Report(step, wide))
    for step in range(101, 1201):
        sender.report(report(step))
    sender.end(COMPLETE)
    operator.open_gate.set()
    assert sender.flush(DEADLINE) == 0
    assert operator.steps == list(range(1, 1201))
    assert all(len(batch.to_json()) <= MAX_BODY_BYTES for batch in operator.batches)
    assert all(len(batch.reports) <= MAX_REPORTS_PER_BATCH for batch in operator.batches)
    assert operator.ends == [COMPLETE]


def test_many_threads_may_report(operator: FakeOperator, open_sender: OpenSender) -> None:
    sender = open_sender()

    def report_a_hundred(first: int) -> None:
        for step in range(first, first + 100):
            sender.report(report(step))

    threads = [threading.Thread(target=report_a_hundred, args=[first]) for first in (1, 1001, 2001)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sender.flush(DEADLINE) == 0
    assert sorted(operator.steps) == sorted(first + i for first in (1, 1001, 2001) for i in range(100))


def test_a_forked_process_is_told_to_leave_reporting_to_its_parent(
    operator: FakeOperator, open_sender: OpenSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = open_sender()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="report from its parent"):
        sender.report(report(1))


def test_delays_grow_to_their_ceiling_and_differ() -> None:
    delays = list(islice(Backoff(first=1.0, ceiling=8.0).delays(), 50))
    for delay, longest in zip(delays, [1, 2, 4, 8] + [8] * 46, strict=True):
        assert longest / 2 <= delay <= longest
    assert len(set(delays)) == 50


def test_a_trial_whose_report_was_refused_is_not_said_to_be_complete(
    operator: FakeOperator, open_sender: OpenSender
) -> None:
    operator.answers.append(Answer(403, b"a proxy in between"))
    sender = open_sender()
    sender.report(report(1))
    assert sender.flush(DEADLINE) == 1
    sender.report(report(2))
    sender.end(COMPLETE)
    assert sender.flush(DEADLINE) == 1
    assert operator.steps == [1, 2]
    assert operator.ends == []
