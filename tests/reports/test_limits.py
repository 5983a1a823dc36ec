"""What one attempt, one study and all of them may take."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from tests.fakes.clock import FakeClock
from tests.reports.running_server import Answer, RunningServer, running_server
from tuning_contract import ReportBatch
from tuning_contract.reports import MAX_BODY_BYTES
from tuning_operator.ports import ReportAnswer
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.limits import Admission, Limits, RateLimit
from tuning_operator.reports.refusals import Refused

ACCURACY = {"reports": [{"step": 1, "values": {"accuracy": 0.5}}]}


def _count_allowed(limit: RateLimit, key: str, now: float, tries: int) -> int:
    return sum(limit.wait(key, now) == 0.0 for _ in range(tries))


def test_a_rate_limit_allows_a_burst_and_then_its_rate() -> None:
    limit = RateLimit(rate=10.0, burst=5)
    assert _count_allowed(limit, "a", now=100.0, tries=20) == 5
    assert _count_allowed(limit, "a", now=100.2, tries=20) == 2
    assert _count_allowed(limit, "a", now=200.0, tries=20) == 5


def test_a_rate_limit_says_how_long_to_wait() -> None:
    limit = RateLimit(rate=2.0, burst=1)
    assert limit.wait("a", 0.0) == 0.0
    assert limit.wait("a", 0.0) == pytest.approx(0.5)
    assert limit.wait("a", 0.1) == pytest.approx(0.4)
    assert limit.wait("a", 0.5) == 0.0


def test_a_rate_limit_treats_each_key_by_itself() -> None:
    limit = RateLimit(rate=1.0, burst=1)
    assert limit.wait("a", 0.0) == 0.0
    assert limit.wait("b", 0.0) == 0.0
    assert limit.wait("a", 0.0) > 0.0


def test_a_rate_limit_still_holds_after_more_keys_than_it_remembers() -> None:
    limit = RateLimit(rate=1.0, burst=1)
    for number in range(25_000):
        assert limit.wait(number, float(number)) == 0.0
    assert limit.wait("late", 25_000.0) == 0.0
    assert limit.wait("late", 25_000.0) > 0.0
    assert limit.remembered < 25_000


def _refusal(admission: Admission, *, trial: int = 0, uid: str = "u", size: int | None = 100) -> Refused | None:
    try:
        with admission.admit(AttemptAddress(uid, trial, 1), size):
            return None
    except Refused as refusal:
        return refusal


def test_an_attempt_that_reports_too_often_waits_and_others_do_not() -> None:
    clock = FakeClock()
    admission = Admission(Limits(attempt_rate=0.1, attempt_burst=1), clock.now)
    assert _refusal(admission) is None
    refusal = _refusal(admission)
    assert refusal is not None
    assert refusal.status == 429
    assert refusal.retry_after == pytest.approx(10.0)
    assert _refusal(admission, trial=1) is None
    clock.advance(10.0)
    assert _refusal(admission) is None


def test_a_study_that_reports_too_often_waits_and_others_do_not() -> None:
    admission = Admission(Limits(study_rate=1.0, study_burst=2), FakeClock().now)
    assert [_refusal(admission, trial=trial) is None for trial in range(3)] == [True, True, False]
    assert _refusal(admission, uid="another") is None


def test_an_attempt_has_few_unanswered_requests() -> None:
    admission = Admission(Limits(attempt_in_flight=2))
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(admission.admit(AttemptAddress("u", 0, 1), 100))
        assert _refusal(admission) is not None
        assert _refusal(admission, trial=1) is None
    assert _refusal(admission) is None


def test_all_studies_together_have_a_bound_of_unanswered_requests() -> None:
    admission = Admission(Limits(in_flight=1))
    with admission.admit(AttemptAddress("u", 0, 1), 100):
        assert _refusal(admission, uid="another") is not None
    assert _refusal(admission, uid="another") is None


def test_bodies_in_memory_are_bounded_and_one_of_unknown_size_counts_in_full() -> None:
    admission = Admission(Limits(bytes_in_flight=MAX_BODY_BYTES + 1_000))
    with admission.admit(AttemptAddress("u", 0, 1), None):
        assert _refusal(admission, size=1_000) is None
        assert _refusal(admission, size=1_001) is not None
        assert _refusal(admission, size=None) is not None
    assert _refusal(admission, size=None) is None


async def test_a_place_is_free_again_after_an_error() -> None:
    async with running_server(Limits(in_flight=1)) as operator:
        operator.repository.fail_next(ZeroDivisionError())
        assert (await operator.report(ACCURACY)).status == 500
        assert (await operator.report(b"")).status == 400
        assert (await operator.report(ACCURACY)).status == 200


async def test_a_refused_request_is_asked_for_again() -> None:
    async with running_server(Limits(attempt_rate=0.01, attempt_burst=1)) as operator:
        assert (await operator.report(ACCURACY)).status == 200
        answer = await operator.report(ACCURACY)
        assert answer.status == 429
        assert 90 <= int(answer.headers["Retry-After"]) <= 100
        assert operator.rejections("TooMany") == 1


async def test_a_wrong_credential_uses_up_nothing() -> None:
    async with running_server(Limits(attempt_rate=0.01, attempt_burst=1)) as operator:
        for _ in range(3):
            assert (await operator.report(ACCURACY, token="wrong")).status == 401
        assert (await operator.report(ACCURACY)).status == 200


async def test_more_connections_than_allowed_are_turned_away() -> None:
    """Where all of them have a request under way."""
    async with running_server(Limits(connections=1)) as operator:
        half_sent, answered = await _half_a_report(operator)
        reader, writer = await asyncio.open_connection("127.0.0.1", operator.port)
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'{"error": ' in answer
        half_sent.write(b"{}"[1:])
        assert b" 200 " in await answered.readuntil(b"\r\n\r\n")
        half_sent.close()


async def test_an_idle_connection_gives_way_when_all_places_are_taken() -> None:
    async with running_server(Limits(connections=2)) as operator:
        assert (await operator.report(ACCURACY)).status == 200  # the client keeps its connection
        half_sent, answered = await _half_a_report(operator)
        reader, writer = await asyncio.open_connection("127.0.0.1", operator.port)
        writer.write(operator.head(2) + b"{}")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        half_sent.write(b"{}"[1:])
        assert b" 200 " in await answered.readuntil(b"\r\n\r\n")
        assert (await operator.report(ACCURACY)).status == 200  # it opened another
        for each in (half_sent, writer):
            each.close()


async def test_connections_that_never_send_lock_nobody_out_and_cost_no_idle_one_its_place() -> None:
    async with running_server(Limits(connections=10)) as operator:
        reader, writer = await asyncio.open_connection("127.0.0.1", operator.port)
        silent: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        for _ in range(2):
            writer.write(operator.head(2) + b"{}")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(b'{"stop": false, "reason": ""}'))
            silent += [await asyncio.open_connection("127.0.0.1", operator.port) for _ in range(50)]
        assert await silent[0][0].read() == b""  # the oldest had to go
        for _, each in (*silent, (reader, writer)):
            each.close()


async def _half_a_report(operator: RunningServer) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    """Open a connection with a request that lacks its last byte, once the server works on it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", operator.port)
    writer.write(operator.head(2).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") + b"{")
    assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
    return writer, reader


async def test_a_hanging_database_does_not_take_other_studies_places(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = asyncio.Event()
    store = operator.repository.report

    async def store_when_let(number: int, attempt: int, batch: ReportBatch, *, run: int) -> ReportAnswer:
        await hang.wait()
        return await store(number, attempt, batch, run=run)

    monkeypatch.setattr(operator.repository, "report", store_when_let)
    held = [asyncio.create_task(operator.report(ACCURACY)) for _ in range(40)]
    done, waiting = set[asyncio.Task[Answer]](), set(held)
    while len(done) < 40 - Limits().attempt_in_flight:
        newly, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= newly
    assert {task.result().status for task in done} == {429}
    hang.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}


async def test_a_namespace_above_its_rate_is_told_which_cap_it_met_and_others_go_on() -> None:
    async with running_server(limits=Limits(namespace_rate=0.5)) as operator:
        statuses = [(await operator.report(ACCURACY)).status for _ in range(3)]
        assert statuses == [200, 429, 429]
        refused = await operator.report(ACCURACY)
        assert "namespace team together" in refused.document["error"]
        assert "namespaceReportRate" in refused.document["error"]
