"""A PostgreSQL that is cut off, or hangs, for a while: nothing is acknowledged that is not durable, and it goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from tests.search.studies import batch
from tests.search.worlds import DatabaseWorld
from tests.support.tcp_proxy import Network, TcpProxy
from tuning_operator.errors import StorageUnavailable
from tuning_operator.search import connections
from tuning_operator.search.connections import _PostgreSQLConnection
from tuning_operator.search.database import Database

FAILING = pytest.mark.parametrize("network", [Network.CUT, Network.SWALLOWS], ids=lambda network: network.value)


@pytest.fixture
def way(postgresql_url: str) -> Iterator[TcpProxy]:
    """The way to a PostgreSQL."""
    server = urlsplit(postgresql_url)
    with TcpProxy([(server.hostname or "127.0.0.1", server.port or 5432)]) as proxy:
        yield proxy


@pytest.fixture
async def world(postgresql_url: str, way: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DatabaseWorld]:
    """Repositories on a database behind that way, with less patience than usual."""
    monkeypatch.setattr(_PostgreSQLConnection, "silent_seconds", 1.0)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 2)
    url = Database(postgresql_url).url.set(host="127.0.0.1", port=way.port)
    world = DatabaseWorld(url.render_as_string(hide_password=False))
    yield world
    await world.repositories.aclose()


@FAILING
async def test_reports_are_refused_while_the_database_is_away_and_taken_after(
    world: DatabaseWorld, way: TcpProxy, network: Network
) -> None:
    await world.repositories.take_over("a/b", "operator-0", lambda _: None)
    study = await world.open()
    await study.ask(1)
    await study.report(0, 1, batch((1, 0.5)))
    before = study.history()
    way.switch(network)
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await study.report(0, 1, batch((2, 0.75)))
        assert study.history() == before
    way.switch(Network.WORKS)
    await study.report(0, 1, batch((2, 0.75)))
    assert [report.step for report in study.reports(0)] == [1, 2]
    assert (await world.reopen()).history().open[0].value == 0.75


@FAILING
async def test_a_start_while_the_database_is_away_fails_in_time_and_succeeds_after(
    world: DatabaseWorld, way: TcpProxy, network: Network
) -> None:
    way.switch(network)
    with pytest.raises(StorageUnavailable):
        await world.repositories.secret_key()
    way.switch(Network.WORKS)
    assert await world.repositories.secret_key()


async def test_a_statement_that_never_ends_is_given_up_by_the_server(
    world: DatabaseWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections._SESSION, "statement_timeout", "200ms")
    with pytest.raises(StorageUnavailable, match="statement timeout"), world.database.reading() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(30)")
