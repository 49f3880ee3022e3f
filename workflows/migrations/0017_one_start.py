from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Where a start has the number 1, the index of numbers says as well that there is one at most."""

    dependencies = [("workflows", "0016_names_for_indexes")]
    operations = [
        ValidateConstraint("event", "event_start_is_first"),
        migrations.RemoveConstraint("event", "event_started_once"),
    ]
