"""Statements that every order runs: built by Django once a process, and planned by PostgreSQL once a connection."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

_VALUE = "\ue000the value"  # stands for what a query is asked with, while it is built


def prepared_cursor() -> CursorWrapper:
    """Return a cursor that sends values apart from the statement, so that the server keeps its plan.

    Django's own puts them into its text. PostgreSQL is told each value's type by a cast in the statement, or by where
    the value stands.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor: CursorWrapper = connection._prepare_cursor(psycopg.Cursor(connection.connection))  # type: ignore[attr-defined]
    return cursor


class PreparedQuery:
    """A query of rows by one text. `build` makes it from the text; it says what is read with `values_list`."""

    def __init__(self, build: Callable[[str], QuerySet[Any, tuple[Any, ...]]]) -> None:
        self._build = build

    def first(self, value: str) -> tuple[Any, ...] | None:
        """Return the first row's values, or None where there is no row."""
        compiler, sql, params, converters = self._built
        with prepared_cursor() as cursor:
            cursor.execute(sql, [value if param == _VALUE else param for param in params])
            row = cursor.fetchone()
        return row and tuple(next(compiler.apply_converters([row], converters)))

    @cached_property
    def _built(self) -> tuple[Any, str, tuple[Any, ...], Any]:
        compiler = self._build(_VALUE)[:1].query.get_compiler("default")
        sql, params = compiler.as_sql()
        return compiler, sql, params, compiler.get_converters([column for column, _, _ in compiler.select])
