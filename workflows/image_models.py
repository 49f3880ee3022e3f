"""The image providers' models, as rows."""

from datetime import UTC, datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q

from billing.models import raises_configuration_version
from workflows.engines.base import BUILT_IN
from workflows.engines.sizes import PIXEL_CLASSES, RATIOS


class ImageModel(models.Model):
    """A provider's model that a client may order from by `name`; `engine` joins it to its code in the catalogue.

    What each costs stands in `billing.Price`. The built-in engines have no rows here: they are always there.
    """

    workflow = models.CharField(max_length=64, help_text="The name of a workflow on offer.")
    name = models.CharField(
        max_length=100, help_text="What orders write, in small letters; its prices go by this name as well."
    )
    engine = models.CharField(max_length=64, help_text="The code that speaks to its provider.")
    vendor_id = models.CharField("provider's id", max_length=200, help_text="What its provider calls it.")
    enabled = models.BooleanField(default=True, help_text="Off: orders of it fail, and give their price back.")
    # Where its orders have a size: what it makes itself.
    ratios = ArrayField(models.CharField(max_length=8), default=list, blank=True)
    resolutions = ArrayField(models.CharField(max_length=8), default=list, blank=True)
    shut_down_on = models.DateField(
        null=True, blank=True, help_text="From this day on, in UTC, its provider has it no more, and orders fail."
    )
    notes = models.TextField(blank=True, help_text="For staff alone.")

    class Meta:
        ordering = ["workflow", "name"]
        constraints = [
            models.UniqueConstraint(name="image_model_name_once", fields=["workflow", "name"]),
            # Orders are compared with it so.
            models.CheckConstraint(
                name="image_model_name_as_compared",
                condition=Q(name=Func(Func("name", function="LOWER"), function="BTRIM")) & ~Q(name__in=["", BUILT_IN]),
                violation_error_message=f"A name in small letters, and not {BUILT_IN}.",
            ),
            models.CheckConstraint(name="image_model_vendor_id_not_empty", condition=~Q(vendor_id="")),
            models.CheckConstraint(
                name="image_model_resolutions_known", condition=Q(resolutions__contained_by=list(PIXEL_CLASSES))
            ),
            models.CheckConstraint(name="image_model_ratios_known", condition=Q(ratios__contained_by=list(RATIOS))),
            models.CheckConstraint(
                name="image_model_sizes_whole",
                condition=Q(ratios__len=0, resolutions__len=0) | Q(ratios__len__gt=0, resolutions__len__gt=0),
                violation_error_message="Ratios and resolutions, or neither where orders have no size.",
            ),
        ]
        triggers = [raises_configuration_version()]

    def __str__(self) -> str:
        return self.name

    @property
    def is_shut_down(self) -> bool:
        return self.shut_down_on is not None and self.shut_down_on <= datetime.now(UTC).date()
