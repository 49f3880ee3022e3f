"""Clients, their keys, the ledger and the prices."""

from datetime import datetime

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper

from billing.rates import Rate, rate
from studio_gateway.ids import ULIDField, new_ulid

# The most credits that one entry may move; a balance holds nine billion of these.
MAX_AMOUNT = 1_000_000_000
MAX_THRESHOLD = 1_000_000_000_000
# For how long a new client's files are kept, and the longest that any client's are.
RETENTION_DAYS, MAX_RETENTION_DAYS = 30, 3650
MAX_REASON = 500
MAX_REFERENCE = 200
MAX_ACTOR = 150
# A host name: labels of letters, digits and inner hyphens.
DOMAIN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$"


def validate_prefix(prefix: str) -> None:
    """Accept `a/b/`: a folder, written as storage keys are."""
    if not prefix.endswith("/") or prefix.startswith("/") or "//" in prefix or ".." in prefix or "\\" in prefix:
        raise ValidationError(f"{prefix!r} is not a storage prefix like shop/photos/.")


class Client(models.Model):
    """The paying account that calls the API.

    `balance`, `ledger_seq` and `open_jobs` are moved by `billing.ledger` alone.
    """

    name = models.CharField(max_length=200)
    suspended_at = models.DateTimeField(null=True, blank=True)
    balance = models.BigIntegerField(default=0, editable=False)
    ledger_seq = models.BigIntegerField(default=0, editable=False)
    open_jobs = models.IntegerField(default=0, editable=False)
    max_open_jobs = models.IntegerField(
        default=1000,
        validators=[MinValueValidator(0), MaxValueValidator(1_000_000)],
        help_text="Orders are refused while this many jobs are open.",
    )
    jobs_per_minute = models.IntegerField(
        default=60,
        db_default=60,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text="Orders a minute, on average; after a pause this many may come at once.",
    )
    orders_tat = models.DateTimeField(
        db_default=Now(),
        editable=False,
        help_text="GCRA's theoretical arrival time: when a client that keeps to its rate would order next.",
    )
    low_credits_threshold = models.BigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_THRESHOLD)],
        help_text="The client is told when an order takes the balance below this many credits.",
    )
    storage_prefixes = ArrayField(
        models.CharField(max_length=200, validators=[validate_prefix]),
        default=list,
        blank=True,
        help_text="Storage folders that this client's orders may read, besides clients/ID/. Each ends with a slash.",
    )
    retention_days = models.IntegerField(
        default=RETENTION_DAYS,
        db_default=RETENTION_DAYS,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_RETENTION_DAYS)],
        help_text="For how many days its jobs' images are kept after they were made, and photos after they were "
        "uploaded. A change counts for jobs that end from then on, and for all uploads.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    # DRF asks this of what authenticated a request.
    is_authenticated = True
    # When the row was read, by the database's clock; whoever needs `rate` reads it along.
    read_at: datetime

    class Meta:
        permissions = [
            ("grant_credits", "Can grant credits"),
            ("adjust_credits", "Can adjust the balance"),
            ("suspend_client", "Can suspend clients and lift suspensions"),
            ("set_limits", "Can set limits"),
            ("set_storage", "Can set storage prefixes and retention"),
        ]
        constraints = [
            models.CheckConstraint(name="client_balance_not_negative", condition=Q(balance__gte=0)),
            models.CheckConstraint(name="client_open_jobs_not_negative", condition=Q(open_jobs__gte=0)),
            models.CheckConstraint(name="client_max_open_jobs_range", condition=Q(max_open_jobs__range=(0, 1_000_000))),
            models.CheckConstraint(
                name="client_jobs_per_minute_range", condition=Q(jobs_per_minute__range=(1, 1_000_000))
            ),
            models.CheckConstraint(
                name="client_low_credits_threshold_range",
                condition=Q(low_credits_threshold__isnull=True) | Q(low_credits_threshold__range=(1, MAX_THRESHOLD)),
            ),
            models.CheckConstraint(
                name="client_retention_days_range", condition=Q(retention_days__range=(1, MAX_RETENTION_DAYS))
            ),
            # An empty prefix would open every client's files.
            models.CheckConstraint(name="client_no_empty_prefix", condition=~Q(storage_prefixes__contains=[""])),
            models.CheckConstraint(
                name="client_empty_ledger_empty_balance", condition=Q(ledger_seq__gt=0) | Q(ledger_seq=0, balance=0)
            ),
        ]
        indexes = [
            # The console's searches for how a name begins, whatever its case.
            models.Index(OpClass(Upper("name"), name="text_pattern_ops"), name="client_by_name")
        ]

    def __str__(self) -> str:
        return self.name

    def read_again(self) -> None:
        """Read the row, and `read_at`, once more."""
        row = Client.objects.annotate(now=Now()).get(pk=self.pk)
        vars(self).update(vars(row), read_at=row.now)

    @property
    def rate(self) -> Rate:
        """How many orders fit this minute, as of `read_at`."""
        return rate(limit=self.jobs_per_minute, tat=self.orders_tat, now=self.read_at)

    @property
    def readable_prefixes(self) -> list[str]:
        """The storage prefixes below which this client's orders may read; the first is its own."""
        return [f"clients/{self.pk}/", *self.storage_prefixes]


class ApiKey(models.Model):
    """A bearer secret of a client; only its SHA-256 digest and a short prefix are stored.

    Orders with a test key (`sk_test_…`) cost nothing and make small, marked images.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="api_keys")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=16, editable=False, db_index=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(name="apikey_digest_is_sha256", condition=Q(digest__regex=r"^[0-9a-f]{64}$")),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"


class ShopifySecret(models.Model):
    """A secret that a client's Shopify app signs request bodies with.

    The newest of a client's is in use; one older, if there is one, still holds during a rotation. `fingerprint` is a
    keyed digest of the secret: no two clients have the same.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="shopify_secrets")
    encrypted = models.TextField(editable=False)
    fingerprint = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(name="shopify_secret_once", fields=["fingerprint"])]

    def __str__(self) -> str:
        return f"Shopify secret {self.pk}"


class ShopDomain(models.Model):
    """A Shopify shop whose requests are a client's, such as `cap-and-co.myshopify.com`."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="shop_domains")
    domain = models.CharField(max_length=253)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="shop_domain_once", fields=["domain"]),
            models.CheckConstraint(name="shop_domain_in_lower_case", condition=Q(domain__regex=DOMAIN)),
        ]

    def __str__(self) -> str:
        return self.domain


class LedgerEntry(models.Model):
    """One movement of a client's balance, never changed and never deleted.

    `amount` is signed: what it added to the balance. `reference` says what it is for: the job that a CHARGE or a REFUND
    belongs to, or what a grant was given for.
    """

    class Kind(models.TextChoices):
        GRANT = "GRANT"
        CHARGE = "CHARGE"
        REFUND = "REFUND"
        ADJUSTMENT = "ADJUSTMENT"

    id = ULIDField(primary_key=True, default=new_ulid)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="ledger_entries", db_index=False)
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.BigIntegerField()
    balance_after = models.BigIntegerField()
    reference = models.CharField(max_length=MAX_REFERENCE, blank=True)
    reason = models.CharField(max_length=MAX_REASON, blank=True)
    actor = models.CharField(max_length=MAX_ACTOR, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            # P1: the chain has no two links of one number, and begins at nothing.
            models.UniqueConstraint(name="ledger_seq_once_per_client", fields=["client", "seq"]),
            models.CheckConstraint(name="ledger_seq_positive", condition=Q(seq__gt=0)),
            models.CheckConstraint(name="ledger_balance_after_not_negative", condition=Q(balance_after__gte=0)),
            models.CheckConstraint(
                name="ledger_first_entry_starts_at_zero", condition=~Q(seq=1) | Q(balance_after=F("amount"))
            ),
            models.CheckConstraint(
                name="ledger_amount_sign",
                condition=Q(kind="GRANT", amount__gt=0)
                | Q(kind="CHARGE", amount__lte=0)
                | Q(kind="REFUND", amount__gte=0)
                | (Q(kind="ADJUSTMENT") & ~Q(amount=0)),
            ),
            models.CheckConstraint(name="ledger_amount_range", condition=Q(amount__range=(-MAX_AMOUNT, MAX_AMOUNT))),
            # P2, P3: what is paid for is paid once and refunded once.
            models.UniqueConstraint(name="ledger_one_charge", fields=["reference"], condition=Q(kind="CHARGE")),
            models.UniqueConstraint(name="ledger_one_refund", fields=["reference"], condition=Q(kind="REFUND")),
            models.CheckConstraint(
                name="ledger_charge_and_refund_have_reference",
                condition=~Q(kind__in=["CHARGE", "REFUND"]) | ~Q(reference=""),
            ),
            models.UniqueConstraint(
                name="ledger_grant_reference_once",
                fields=["client", "reference"],
                condition=Q(kind="GRANT") & ~Q(reference=""),
            ),
            models.UniqueConstraint(
                name="ledger_adjustment_reference_once",
                fields=["client", "reference"],
                condition=Q(kind="ADJUSTMENT") & ~Q(reference=""),
            ),
            models.CheckConstraint(
                name="ledger_staff_entries_have_reason",
                condition=~Q(kind__in=["GRANT", "ADJUSTMENT"]) | ~Q(reason=""),
            ),
        ]
        indexes = [
            # The reader of the API's sums, and where its lists find a time; without a look at the rows.
            models.Index(name="ledger_by_client_and_time", fields=["client", "created_at"], include=["kind", "amount"]),
            # The console's lists of what is no order's charge, newest first.
            models.Index(name="ledger_by_kind", fields=["kind", "-id"], condition=~Q(kind="CHARGE")),
            # The same of one client, however many charges lie between.
            models.Index(
                name="ledger_by_client_and_kind", fields=["client", "kind", "-seq"], condition=~Q(kind="CHARGE")
            ),
            # The console's search for what staff gave as a reference, whosever it is.
            models.Index(
                name="ledger_by_staff_reference", fields=["reference"], condition=Q(kind__in=["GRANT", "ADJUSTMENT"])
            ),
            # The reader of what somebody has refunded today.
            models.Index(
                name="ledger_refunds_by_actor",
                fields=["actor", "created_at"],
                include=["amount"],
                condition=Q(kind="REFUND") & ~Q(actor=""),
            ),
        ]
        triggers = [
            # P8.
            pgtrigger.Trigger(
                name="ledger_is_append_only",
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate,
                func="RAISE EXCEPTION 'ledger entries are never changed or deleted';",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+d}"


class Configuration(models.Model):
    """The one row whose version says which prices and workflows on offer are in force.

    Triggers raise it in the transaction that changes them, and authentication reads it: so a change takes effect in
    every process with the next request.
    """

    version = models.BigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(name="configuration_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"version {self.version}"


def raises_configuration_version() -> pgtrigger.Trigger:
    """Make the trigger for a table whose rows are cached under the configuration's version."""
    return pgtrigger.Trigger(
        name="raises_configuration_version",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate,
        func="UPDATE billing_configuration SET version = version + 1; RETURN NULL;",
    )


class Price(models.Model):
    """What a workflow costs; narrowed by model, by pixel class, or both. The narrowest row wins, model before class."""

    workflow = models.CharField(max_length=64)
    model = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 — NULL means any model
    pixel_class = models.CharField(max_length=16, null=True, blank=True)  # noqa: DJ001 — NULL means any size
    credits = models.IntegerField(validators=[MinValueValidator(0), MaxValueValidator(MAX_AMOUNT)])

    class Meta:
        ordering = ["workflow", F("model").asc(nulls_first=True), F("pixel_class").asc(nulls_first=True)]
        constraints = [
            models.UniqueConstraint(
                name="price_one_per_scope", fields=["workflow", "model", "pixel_class"], nulls_distinct=False
            ),
            models.CheckConstraint(name="price_credits_range", condition=Q(credits__range=(0, MAX_AMOUNT))),
            models.CheckConstraint(name="price_model_not_empty", condition=Q(model__isnull=True) | ~Q(model="")),
            models.CheckConstraint(
                name="price_pixel_class_not_empty", condition=Q(pixel_class__isnull=True) | ~Q(pixel_class="")
            ),
        ]
        triggers = [raises_configuration_version()]

    def __str__(self) -> str:
        scope = " ".join(part for part in (self.workflow, self.model, self.pixel_class) if part)
        return f"{scope}: {self.credits}"
