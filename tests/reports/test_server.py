"""Starting and stopping."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.trial_repository import FakeTrialRepositories
from tests.reports.running_server import RunningServer, eventually, running_server
from tuning_contract import ReportBatch
from tuning_operator.errors import Unavailable
from tuning_operator.ports import ReportAnswer
from tuning_operator.reports.server import ReportServer

ACCURACY = {"reports": [{"step": 1, "values": {"accuracy": 0.5}}]}


async def test_the_server_says_that_it_is_there(operator: RunningServer) -> None:
    async with operator.client.get(f"{operator.base}/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_reports_under_way_are_answered_before_the_server_stops(
    operator: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, commit = asyncio.Event(), asyncio.Event()
    store = operator.repository.report

    async def store_slowly(number: int, attempt: int, batch: ReportBatch, *, run: int) -> ReportAnswer:
        reached.set()
        await commit.wait()
        return await store(number, attempt, batch, run=run)

    monkeypatch.setattr(operator.repository, "report", store_slowly)
    answering = asyncio.create_task(operator.report(ACCURACY))
    await reached.wait()
    stopping = asyncio.create_task(operator.server.stop())
    await eventually(lambda: _refuses_connections(operator.port))
    commit.set()
    assert (await answering).status == 200
    await stopping


async def test_idle_connections_do_not_hold_up_the_stop(operator: RunningServer) -> None:
    assert (await operator.report(ACCURACY)).status == 200
    _, writer = await asyncio.open_connection("127.0.0.1", operator.port)
    await operator.server.stop()
    assert await _refuses_connections(operator.port)
    writer.close()


async def test_stopping_twice_or_before_the_start_is_no_harm(operator: RunningServer) -> None:
    await operator.server.stop()
    await operator.server.stop()
    await ReportServer(FakeTrialRepositories(), b"k" * 32, wake=lambda uid: None).stop()


async def test_a_taken_port_is_a_sentence(operator: RunningServer) -> None:
    second = ReportServer(FakeTrialRepositories(), b"k" * 32, wake=lambda uid: None, port=operator.port)
    with pytest.raises(Unavailable, match=f"127.0.0.1:{operator.port}"):
        await second.start()


async def test_two_servers_share_nothing() -> None:
    async with running_server() as one, running_server() as other:
        await one.report(ACCURACY)
        assert one.repository.reports(0) != []
        assert other.repository.reports(0) == []
        assert other.metrics.registry.get_sample_value("tuning_reports_total") == 0


async def _refuses_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False
