from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.fixtures import missing
from tests.support.postgresql import MissingServer
from tests.support.postgresql_server import PostgreSQLServer


@pytest.fixture
def server() -> Iterator[PostgreSQLServer]:
    try:
        made = PostgreSQLServer()
    except MissingServer as reason:
        missing(str(reason))
    with made:
        yield made


def test_what_was_committed_outlives_a_kill(server: PostgreSQLServer) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
