"""A database as it is after half a year: rows in the number that is asked for, written by PostgreSQL itself.

    STUDIO_DATA_DIR=/some/where python -m tests.rows --jobs 1000000

Jobs of thousands of clients, most of them small and a few huge, over DAYS days; each with its charge, its refund where
one is due and its request log, and those of the last month with outputs and events, those of the last fortnight with
what webhooks were told. Every ULID's time is that of its row. The books are right: `manage.py reconcile` finds nothing.
What is random in it is the same each time.
"""

from pathlib import Path

from django.db import connection, transaction

DAYS = 180
STATEMENTS = (Path(__file__).parent / "rows.sql").read_text()


def fill(*, jobs: int, clients: int) -> None:
    """Write `jobs` jobs of `clients` new clients, and all that goes with them, into a migrated database."""
    numbers = {"jobs": jobs, "clients": clients, "days": DAYS}
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in STATEMENTS.split(";\n\n"):
            cursor.execute(statement, numbers)
