from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # While orders come in, and it can be run again: what was broken off leaves an index that nobody reads.
    atomic = False
    dependencies = [("billing", "0010_ledger_visible")]
    operations = [
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS ledger_by_client_and_kind", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "ledgerentry",
            models.Index(
                name="ledger_by_client_and_kind", fields=["client", "kind", "-seq"], condition=~Q(kind="CHARGE")
            ),
        ),
    ]
