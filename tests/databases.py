"""Databases for tests that need real commits: cheap copies of the migrated one, which nobody cleans up after."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import psycopg
from django.db import connection
from psycopg import sql

# Test processes that share a server keep to names of their own.
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "")
TEMPLATE = f"test_template{PROCESS}"
_numbers = itertools.count(1)


def _admin() -> psycopg.Connection:
    """Return a connection to the server's own database, from which others can be made."""
    params = connection.get_connection_params()
    known = {k: params[k] for k in ("host", "port", "user", "password") if params.get(k)}
    return psycopg.connect(dbname="postgres", autocommit=True, **known)


def url(name: str) -> str:
    """Return the DATABASE_URL of `name`, for processes that the tests start."""
    params = connection.get_connection_params()
    where = urlencode({"host": params.get("host") or "localhost", "port": params.get("port") or 5432})
    return f"postgres://{quote(params['user'])}:{quote(params.get('password') or '')}@/{name}?{where}"


def copy(source: str, target: str) -> None:
    with _admin() as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(target)))
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(target), sql.Identifier(source)
            )
        )


def drop(name: str) -> None:
    with _admin() as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def fresh() -> str:
    """Make a migrated, empty database and return its name."""
    name = f"test_copy{PROCESS}_{next(_numbers)}"
    copy(TEMPLATE, name)
    return name


@contextmanager
def connected(name: str) -> Iterator[None]:
    """Point Django's connection, in every thread, at the database `name`."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
