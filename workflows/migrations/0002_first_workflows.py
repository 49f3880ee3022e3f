from datetime import timedelta

from django.db import migrations


def seed(apps, schema_editor):
    Workflow = apps.get_model("workflows", "Workflow")
    for name, summary in (
        ("background-generator", "A catalog backdrop, made from a scene, a mood and colours."),
        ("extract", "The items on a photo, each cut out with its box."),
    ):
        Workflow.objects.create(
            name=name, summary=summary, time_limit=timedelta(minutes=2), max_attempts=3, deadline=timedelta(minutes=30)
        )


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial"), ("billing", "0002_first_prices")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
