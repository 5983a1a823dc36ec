"""A PostgreSQL database that exists for one test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

SERVER_VARIABLE = "TEST_POSTGRESQL_URL"
"""Environment variable with the URL of a database whose user may create others."""

ADVICE = (
    f"start PostgreSQL 13 or newer (`apt install postgresql`) and set {SERVER_VARIABLE} to the URL of a user that may "
    "create databases, such as postgresql://postgres@127.0.0.1:5432/postgres"
)
"""How to get a server."""


class MissingServer(Exception):
    """There is no PostgreSQL server for tests; the message says how to get one."""


def server_url() -> str:
    """The URL in TEST_POSTGRESQL_URL. Raises MissingServer when it is not set."""
    url = os.environ.get(SERVER_VARIABLE)
    if not url:
        raise MissingServer(f"{SERVER_VARIABLE} is not set: {ADVICE}.")
    return url


@contextmanager
def temporary_database(server: str) -> Iterator[str]:
    """Creates a database with a new name on the server, yields its URL, and drops it with all connections to it.

    A driver in the scheme (postgresql+psycopg://) is kept. Raises MissingServer when nobody answers.
    """
    name = f"test_{secrets.token_hex(6)}"
    _execute(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _execute(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _execute(server: str, statement: sql.Composed) -> None:
    scheme, rest = server.split("://", 1)
    try:
        with psycopg.connect(f"{scheme.partition('+')[0]}://{rest}", autocommit=True) as connection:
            connection.execute(statement)
    except psycopg.OperationalError as failure:
        raise MissingServer(
            f"No PostgreSQL server answers at {SERVER_VARIABLE}={server}: {failure}; {ADVICE}."
        ) from failure
