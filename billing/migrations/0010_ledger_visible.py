from django.db import migrations


class Migration(migrations.Migration):
    """Have the ledger's new pages marked as visible to all every 10,000 entries.

    Sums of a client's month are read from the index alone where they are: 177 pages instead of 817 for 30,000 entries.
    By default that is only done after a fifth of the table has been added, which is more than a month. It takes as long
    as the new pages take, 20 ms, since no entry is ever dead.
    """

    dependencies = [("billing", "0009_kinds_and_references")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE billing_ledgerentry SET"
            " (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000)",
            "ALTER TABLE billing_ledgerentry RESET"
            " (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold)",
        )
    ]
