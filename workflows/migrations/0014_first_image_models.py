from datetime import date

from django.db import migrations

TO_21_9 = ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"]
TO_8_1 = [*TO_21_9, "1:4", "4:1", "1:8", "8:1"]
BACKGROUND, EXTRACT = "background-generator", "extract"
EXPERIMENTAL = "Above 2560 x 1440 its provider calls it experimental."

# Workflow, name (also the provider's), engine, ratios, resolutions, shut down on, notes.
MODELS = [
    (BACKGROUND, "gemini-3-pro-image", "gemini", TO_21_9, ["1K", "2K", "4K"], None, ""),
    (BACKGROUND, "gemini-3.1-flash-image", "gemini", TO_8_1, ["1K", "2K", "4K"], None, ""),
    (BACKGROUND, "gpt-image-2", "openai", TO_21_9, ["1K", "2K", "4K"], None, EXPERIMENTAL),
    (BACKGROUND, "gpt-image-2.5-flare", "openai", TO_21_9, ["1K", "2K", "4K"], None, EXPERIMENTAL),
    (BACKGROUND, "gpt-image-2.5-sunburst", "openai", TO_21_9, ["1K", "2K", "4K"], None, EXPERIMENTAL),
    (EXTRACT, "gemini-2.5-flash", "gemini", [], [], date(2026, 12, 1),
     "The last of its provider's models that is documented to answer with masks; 3.x is documented not to."),
]
# By model: credits of any size, and of a pixel class.
PRICES = {
    "gemini-3-pro-image": {None: 15, "4K": 28},
    "gemini-3.1-flash-image": {None: 8, "2K": 12, "4K": 18},
    "gpt-image-2": {None: 8, "2K": 16, "4K": 28},
    "gpt-image-2.5-flare": {None: 8, "2K": 16, "4K": 28},
    "gpt-image-2.5-sunburst": {None: 12, "2K": 24, "4K": 40},
    "gemini-2.5-flash": {None: 5},
}


def seed(apps, schema_editor):
    ImageModel, Price = apps.get_model("workflows", "ImageModel"), apps.get_model("billing", "Price")
    for workflow, name, engine, ratios, resolutions, shut_down_on, notes in MODELS:
        ImageModel.objects.create(
            workflow=workflow, name=name, engine=engine, vendor_id=name, ratios=ratios, resolutions=resolutions,
            shut_down_on=shut_down_on, notes=notes,
        )
        for pixel_class, credits in PRICES[name].items():
            # Staff may have set one before.
            Price.objects.get_or_create(
                workflow=workflow, model=name, pixel_class=pixel_class, defaults={"credits": credits}
            )


class Migration(migrations.Migration):
    dependencies = [("workflows", "0013_image_models"), ("billing", "0007_adjustments_and_roles")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
