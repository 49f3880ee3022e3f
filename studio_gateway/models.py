from django.db import models


class SignInCount(models.Model):
    """How many sign-ins were tried and did not succeed, of late: for one name from one place, or from one place."""

    # A digest: people type passwords where names belong.
    key = models.CharField(max_length=64, primary_key=True)
    tried = models.PositiveSmallIntegerField()
    forgotten_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.tried} tries"
