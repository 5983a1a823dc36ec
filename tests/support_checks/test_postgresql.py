from __future__ import annotations

import psycopg
import pytest

from tests.support.postgresql import MissingServer, server_url, temporary_database


def test_each_test_has_an_empty_database_that_is_gone_afterwards(postgresql_url: str) -> None:
    with temporary_database(server_url()) as other:
        assert other != postgresql_url
        with psycopg.connect(other) as connection:
            connection.execute("CREATE TABLE only_here (id int)")
        with psycopg.connect(postgresql_url) as connection:
            assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(other)


def test_a_database_is_dropped_while_somebody_is_connected(postgresql_url: str) -> None:
    with temporary_database(server_url()) as url:
        forgotten = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")
    forgotten.close()


def test_a_server_that_does_not_answer_is_explained() -> None:
    with (
        pytest.raises(MissingServer, match="TEST_POSTGRESQL_URL"),
        temporary_database("postgresql+psycopg://nobody@127.0.0.1:1/postgres"),
    ):
        pass
