"""A standby passes requests on to the active operator, once and within bounds, or asks the sender to come again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from tests.cluster_api.trial_jobs_suite import until
from tests.fakes.trial_repository import FakeTrialRepositories
from tests.reports.running_server import STUDY, RunningServer, running_server
from tests.support.processes import free_ports
from tuning_operator.metrics.recording import Metrics
from tuning_operator.reports import forwarding
from tuning_operator.reports.limits import Limits
from tuning_operator.reports.server import ReportServer

REPORT = {"reports": [{"step": 1, "values": {"accuracy": 0.5}}]}


@asynccontextmanager
async def standby_of(leader: str, key: bytes, limits: Limits | None = None) -> AsyncIterator[RunningServer]:
    """Serve no study, and pass requests on to a leader."""
    repositories, metrics = FakeTrialRepositories(), Metrics()
    server = ReportServer(
        repositories, key, wake=lambda _uid: None, leader=lambda: leader, metrics=metrics, limits=limits
    )
    port = await server.start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client:
        try:
            yield RunningServer(port, key, server, client, repositories, metrics)
        finally:
            await server.stop()


@pytest.fixture
async def active() -> AsyncIterator[RunningServer]:
    """The active operator's server."""
    async with running_server(trials=300) as server:
        yield server


@pytest.fixture
async def standby(active: RunningServer) -> AsyncIterator[RunningServer]:
    """A standby's server."""
    async with standby_of(active.base, active.key) as server:
        yield server


async def test_the_active_operator_stores_and_answers_what_a_standby_received(
    active: RunningServer, standby: RunningServer
) -> None:
    answer = await standby.report(REPORT)
    assert (answer.status, answer.document) == (200, {"stop": False, "reason": ""})
    assert [report.step for report in active.repository.reports(0)] == [1]
    assert standby.metrics.registry.get_sample_value("tuning_forwarded_requests_total", {"code": "200"}) == 1


async def test_the_senders_next_connection_may_find_the_active_operator_itself(
    active: RunningServer, standby: RunningServer
) -> None:
    assert (await standby.report(REPORT)).headers["Connection"] == "close"
    assert "Connection" not in (await active.report(REPORT)).headers


async def test_trials_are_read_through_a_standby(active: RunningServer, standby: RunningServer) -> None:
    await active.report(REPORT)
    for path in ("?after=10&limit=200", "/0"):
        direct = await active.read(path)
        passed_on = await standby.read(path)
        assert (passed_on.status, passed_on.body) == (200, direct.body)
        assert passed_on.headers["Content-Type"] == direct.headers["Content-Type"]


@pytest.mark.parametrize(
    ("token", "body", "status", "header"),
    [("wrong", REPORT, 401, "WWW-Authenticate"), (None, b"{", 400, None), (None, b" " * 300_000, 413, None)],
)
async def test_a_refusal_arrives_as_it_is(
    active: RunningServer, standby: RunningServer, token: str | None, body: object, status: int, header: str | None
) -> None:
    direct = await active.report(body, token=token)
    passed_on = await standby.report(body, token=token)
    assert (direct.status, passed_on.status) == (status, status)
    assert "error" in passed_on.document
    if header is not None:
        assert passed_on.headers[header] == direct.headers[header]


async def test_what_is_not_of_the_api_is_not_passed_on(standby: RunningServer) -> None:
    async with standby.client.get(f"{standby.base}/healthz") as answer:
        assert answer.status == 200
    async with standby.client.get(f"{standby.base}/metrics") as answer:
        assert answer.status == 404
    assert "tuning_forwarded_requests_total{" not in standby.metrics.exposition().decode()


async def test_senders_come_again_while_no_operator_is_active() -> None:
    async with standby_of("", b"key") as standby:
        answer = await standby.report(REPORT)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert "not the active one" in answer.document["error"]
        assert standby.rejections("NotActive") == 1


async def test_senders_come_again_when_the_active_operator_is_gone() -> None:
    (port,) = free_ports(1)
    for leader in (f"http://127.0.0.1:{port}", "no address", "http://[::1"):
        async with standby_of(leader, b"key") as standby:
            answer = await standby.report(REPORT)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert "does not answer" in answer.document["error"]


async def test_an_active_operator_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "_TIMEOUT", aiohttp.ClientTimeout(total=None, sock_read=0.2))
    async with hanging_server() as leader, standby_of(leader, b"key") as standby:
        answer = await standby.report(REPORT)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_a_sender_that_leaves_before_the_answer_is_no_defect(
    active: RunningServer, standby: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    reached, opened = hold_reports(active)
    sending = asyncio.create_task(standby.report(REPORT))
    await reached.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await asyncio.sleep(0.1)  # the standby sees the end of the connection
    opened.set()
    answered = "tuning_forwarded_requests_total", {"code": "200"}
    await until(lambda: standby.metrics.registry.get_sample_value(*answered) == 1, "the answer does not come")
    await asyncio.sleep(0.1)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_two_standbys_that_take_each_other_for_active_pass_a_request_on_once() -> None:
    first_port, second_port = free_ports(2)
    async with AsyncExitStack() as stack:
        for port, leader in ((first_port, second_port), (second_port, first_port)):
            server = ReportServer(
                FakeTrialRepositories(),
                b"key",
                wake=lambda _uid: None,
                leader=lambda leader=leader: f"http://127.0.0.1:{leader}",  # type: ignore[misc]
                port=port,
            )
            await server.start()
            stack.push_async_callback(server.stop)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        url = f"http://127.0.0.1:{first_port}/v1/studies/{STUDY.uid}/trials/0/attempts/1/reports"
        async with client.post(url, data=b"{}") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_only_so_many_requests_wait_for_the_active_operator() -> None:
    async with hanging_server() as leader, standby_of(leader, b"key", Limits(forwarded=2)) as standby:
        sending = [asyncio.create_task(standby.report(REPORT)) for _ in range(3)]
        answered, waiting = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().status for task in answered] == [429]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_server_that_leaves_answers_what_is_under_way_and_takes_nothing_new(active: RunningServer) -> None:
    leader: str | None = None
    reached, opened = hold_reports(active)
    server = ReportServer(active.repositories, active.key, wake=lambda _uid: None, leader=lambda: leader)
    port = await server.start()
    leaving = RunningServer(port, active.key, server, active.client, active.repositories, Metrics())
    reporting = asyncio.create_task(leaving.report(REPORT))
    await reached.wait()
    leader = ""
    draining = asyncio.create_task(server.drain(30))
    assert (await leaving.report(REPORT)).status == 503
    assert not draining.done()
    opened.set()
    await draining
    assert (await reporting).status == 200
    await server.stop()


def hold_reports(active: RunningServer) -> tuple[asyncio.Event, asyncio.Event]:
    """Let reports wait for the second event; the first one says that there is one."""
    reached, opened = asyncio.Event(), asyncio.Event()
    repository = active.repository
    real = repository.report

    async def slow_report(*arguments: object, **named: object) -> object:
        reached.set()
        await opened.wait()
        # What it is called with is passed on as it came.
        return await real(*arguments, **named)  # type: ignore[arg-type]

    # In the place of the method, on this one object.
    repository.report = slow_report  # type: ignore[method-assign, assignment]
    return reached, opened


@asynccontextmanager
async def hanging_server() -> AsyncIterator[str]:
    """Accept connections and never answer; yields the base URL."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
