import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

# Django's second index of a unique text is for LIKE, which nobody asks of keys.
OUTPUT_KEY_ONCE = migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            "ALTER TABLE workflows_output RENAME CONSTRAINT workflows_output_key_key TO output_key_once",
            "ALTER TABLE workflows_output RENAME CONSTRAINT output_key_once TO workflows_output_key_key",
        ),
        migrations.RunSQL(
            "DROP INDEX workflows_output_key_3e556eaa_like",
            "CREATE INDEX workflows_output_key_3e556eaa_like ON workflows_output (key varchar_pattern_ops)",
        ),
    ],
    state_operations=[
        migrations.AlterField("output", "key", models.CharField(max_length=300)),
        migrations.AddConstraint("output", models.UniqueConstraint(name="output_key_once", fields=["key"])),
    ],
)
# It is what it was, by a name that models know.
JOB_EVENTS = migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            "ALTER INDEX workflows_jobevent_job_id_d4d9846b RENAME TO job_events",
            "ALTER INDEX job_events RENAME TO workflows_jobevent_job_id_d4d9846b",
        )
    ],
    state_operations=[
        migrations.AlterField(
            "jobevent",
            "job",
            models.ForeignKey(
                "workflows.Job", on_delete=django.db.models.deletion.PROTECT, related_name="events", db_index=False
            ),
        ),
        migrations.AddIndex("jobevent", models.Index(name="job_events", fields=["job"])),
    ],
)


class Migration(migrations.Migration):
    """What takes no time, however large the tables are."""

    dependencies = [("workflows", "0015_indexes_for_readers")]
    operations = [
        OUTPUT_KEY_ONCE,
        JOB_EVENTS,
        AddConstraintNotValid(
            "event",
            models.CheckConstraint(
                name="event_start_is_first", condition=~Q(type="job.started") | Q(sequence=1)
            ),
        ),
    ]
