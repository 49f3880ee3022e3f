"""What runs of `manage.py reconcile` found, kept for whoever did not see them."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Reconciliation(models.Model):
    """One run of `manage.py reconcile`: what it counted, and which promises it found broken.

    `violations` are as `--json` prints them, and not all of them where there were very many.
    """

    ran_at = models.DateTimeField(db_default=Now())
    checked = models.JSONField(help_text="How many rows of each kind it looked at.")
    found = models.IntegerField()
    fixed = models.IntegerField(help_text="Of those that it found, how many are gone again.")
    violations = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(name="reconciliation_fixed_was_found", condition=Q(fixed__range=(0, F("found")))),
        ]

    def __str__(self) -> str:
        return f"{self.ran_at:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def left(self) -> int:
        return self.found - self.fixed
