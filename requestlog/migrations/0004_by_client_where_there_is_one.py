from django.db import migrations, models
from django.db.models import Q

DROP_NEW = "DROP INDEX CONCURRENTLY IF EXISTS request_logs_by_client_new"
MAKE_NEW = "CREATE INDEX CONCURRENTLY request_logs_by_client_new ON request_logs (client_id, request_id)"
SWAP = """
DROP INDEX request_logs_by_client;
ALTER INDEX request_logs_by_client_new RENAME TO request_logs_by_client
"""


class Migration(migrations.Migration):
    # While requests come in, and it can be run again.
    atomic = False
    dependencies = [("requestlog", "0003_refused_and_broken")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(DROP_NEW, SWAP),
                migrations.RunSQL(f"{MAKE_NEW} WHERE client_id IS NOT NULL", MAKE_NEW),
                migrations.RunSQL(SWAP, DROP_NEW),
            ],
            state_operations=[
                migrations.RemoveIndex("requestlog", "request_logs_by_client"),
                migrations.AddIndex(
                    "requestlog",
                    models.Index(
                        name="request_logs_by_client",
                        fields=["client_id", "request_id"],
                        condition=Q(client_id__isnull=False),
                    ),
                ),
            ],
        )
    ]
