from django.db import migrations

PRICES = [
    ("background-generator", None, None, 2),
    ("background-generator", None, "512", 1),
    ("background-generator", None, "2K", 4),
    ("background-generator", None, "4K", 8),
    ("extract", None, None, 3),
]


def seed(apps, schema_editor):
    apps.get_model("billing", "Configuration").objects.create(id=1)
    Price = apps.get_model("billing", "Price")
    for workflow, model, pixel_class, credits in PRICES:
        Price.objects.create(workflow=workflow, model=model, pixel_class=pixel_class, credits=credits)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
