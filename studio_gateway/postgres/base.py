"""Django's PostgreSQL backend, whose kept connections cost nothing to be found alive.

With CONN_PATIENCE, a setting of the database, whoever connects while the server is away waits for it so many seconds.
"""

import select
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base, operations

# How long between two attempts to connect, in seconds.
_PAUSE = 0.1


class DatabaseOperations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        """Return what Django logs. psycopg does not keep the text of a statement that is prepared."""
        return super().last_executed_query(cursor, sql, params) or str(sql)


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations

    def is_usable(self) -> bool:
        """Tell whether the connection still works; ask the server only where there is a sign that it does not.

        A server that goes away closes its connections, and a connection that nothing has come over is taken for good:
        one that was lost without a word would not answer a question either.
        """
        if self.connection is None or self.connection.closed:
            return False
        if self.errors_occurred or _has_news(self.connection):
            return bool(super().is_usable())
        return True

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        give_up = time.monotonic() + self.settings_dict.get("CONN_PATIENCE", 0)
        while True:
            try:
                return super().get_new_connection(conn_params)
            except psycopg.OperationalError:
                if time.monotonic() + _PAUSE > give_up:
                    raise
            time.sleep(_PAUSE)


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether something has come over an idle connection: its end, or what the server says unasked."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
