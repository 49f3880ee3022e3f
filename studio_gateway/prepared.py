"""Statements that every order runs: built by Django once a process, and planned by PostgreSQL once a connection."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import psycopg
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Model, QuerySet
from psycopg.pq import Format

M = TypeVar("M", bound=Model)

_VALUE = "\ue000the value"  # stands for what a query is asked with, while it is built


def prepared_cursor() -> CursorWrapper:
    """Return a cursor that sends values apart from the statement, so that the server keeps its plan.

    Django's own puts them into its text. PostgreSQL is told each value's type by a cast in the statement, or by where
    the value stands. What it returns comes in binary, which is read faster than text, times above all.
    """
    connection: Any = connections["default"]  # as `django.db.connection` finds it for each of its attributes
    connection.close_if_health_check_failed()
    if connection.connection is None:
        connection.ensure_connection()
    cursor = psycopg.Cursor(connection.connection)
    cursor.format = Format.BINARY
    logged = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    wrapped: CursorWrapper = logged(cursor)
    return wrapped


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


class Row(Generic[M]):
    """A whole row that a statement returns: the columns to be named there, and the instance that their values make."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def __len__(self) -> int:
        return len(self._model._meta.concrete_fields)

    @cached_property
    def columns(self) -> str:
        """All columns, in the order in which `instance` takes them."""
        return ", ".join(f"{self._model._meta.db_table}.{field.column}" for field in self._model._meta.concrete_fields)

    def instance(self, values: Sequence[Any]) -> M:
        """Return the instance. In binary, values come as fields have them: JSON too, which Django reads from text."""
        return self._model.from_db("default", self._names, values)

    @cached_property
    def _names(self) -> list[str]:
        return [field.attname for field in self._model._meta.concrete_fields]
