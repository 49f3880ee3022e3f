"""Fewer indexes to write for each order and each step of a job, made and dropped while orders come in.

Each step can be run again: what was broken off may have left an index that is not valid.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

DROP, MAKE = "DROP INDEX CONCURRENTLY IF EXISTS", "CREATE UNIQUE INDEX CONCURRENTLY"

ONCE_NEW = f"{DROP} job_idempotency_key_once_new"
ONCE_SWAP = """
DROP INDEX job_idempotency_key_once;
ALTER INDEX job_idempotency_key_once_new RENAME TO job_idempotency_key_once
"""
ONCE = f"{MAKE} job_idempotency_key_once_new ON workflows_job ({{}}) WHERE idempotency_key IS NOT NULL"

# By key first, it also finds a key whosever it is, for which there was an index of its own.
KEY_ONCE = migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(ONCE_NEW, ONCE_SWAP),
        migrations.RunSQL(ONCE.format("idempotency_key, client_id"), ONCE.format("client_id, idempotency_key")),
        migrations.RunSQL(ONCE_SWAP, ONCE_NEW),
        migrations.RunSQL(
            f"{DROP} job_by_idempotency_key",
            "CREATE INDEX CONCURRENTLY job_by_idempotency_key ON workflows_job (idempotency_key)"
            " WHERE idempotency_key IS NOT NULL",
        ),
    ],
    state_operations=[
        migrations.RemoveConstraint("job", "job_idempotency_key_once"),
        migrations.AddConstraint(
            "job",
            models.UniqueConstraint(
                name="job_idempotency_key_once",
                fields=["idempotency_key", "client"],
                condition=Q(idempotency_key__isnull=False),
            ),
        ),
        migrations.RemoveIndex("job", "job_by_idempotency_key"),
    ],
)
# Nine of ten jobs have no refund, and each of their versions had an entry that said so.
REFUND_ONCE = migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(f"{DROP} job_refund_once", migrations.RunSQL.noop),
        migrations.RunSQL(
            f"{MAKE} job_refund_once ON workflows_job (refund_id) WHERE refund_id IS NOT NULL",
            f"{DROP} job_refund_once",
        ),
        migrations.RunSQL(
            "ALTER TABLE workflows_job DROP CONSTRAINT IF EXISTS workflows_job_refund_id_key",
            "ALTER TABLE workflows_job ADD CONSTRAINT workflows_job_refund_id_key UNIQUE"
            " USING INDEX workflows_job_refund_id_key",
        ),
        migrations.RunSQL(
            migrations.RunSQL.noop, f"{MAKE} workflows_job_refund_id_key ON workflows_job (refund_id)"
        ),
    ],
    state_operations=[
        migrations.AlterField(
            "job",
            "refund",
            models.ForeignKey(
                "billing.LedgerEntry",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunded_job",
                null=True,
                db_index=False,
            ),
        ),
        migrations.AddConstraint(
            "job",
            models.UniqueConstraint(name="job_refund_once", fields=["refund"], condition=Q(refund__isnull=False)),
        ),
    ],
)
# While the planner does not know yet that many jobs are open, it read this index for the queue, and sorted what it found.
OPEN_NEW = f"{DROP} job_open_by_deadline_new"
OPEN_SWAP = """
DROP INDEX job_open_by_deadline;
ALTER INDEX job_open_by_deadline_new RENAME TO job_open_by_deadline
"""
OPEN = "CREATE INDEX CONCURRENTLY job_open_by_deadline_new ON workflows_job (deadline_at) WHERE {}"
BY_STATUS, BY_END = "status IN ('NOT_STARTED', 'IN_PROGRESS')", "ended_at IS NULL"
OPEN_BY_DEADLINE = migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(OPEN_NEW, OPEN_SWAP),
        migrations.RunSQL(OPEN.format(BY_END), OPEN.format(BY_STATUS)),
        migrations.RunSQL(OPEN_SWAP, OPEN_NEW),
    ],
    state_operations=[
        migrations.RemoveIndex("job", "job_open_by_deadline"),
        migrations.AddIndex(
            "job",
            models.Index(name="job_open_by_deadline", fields=["deadline_at"], condition=Q(ended_at__isnull=True)),
        ),
    ],
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("workflows", "0014_first_image_models"), ("billing", "0009_kinds_and_references")]
    operations = [KEY_ONCE, REFUND_ONCE, OPEN_BY_DEADLINE]
