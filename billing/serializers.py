"""Bodies of the bill; what stands here as docstring and help_text stands in the API document."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from rest_framework import serializers

from billing.models import MAX_REFERENCE, LedgerEntry
from studio_gateway.api.queries import Count, Created, OneOf, Page, Text

# What a spreadsheet takes for a formula begins with one of these.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


class SumsSerializer(serializers.Serializer[Any]):
    """Credits that went and came back."""

    charged = serializers.IntegerField(help_text="Credits that orders cost.")
    refunded = serializers.IntegerField(help_text="Credits that came back, for these orders or earlier ones.")


class CreditsSerializer(serializers.Serializer[Any]):
    """Where the client stands."""

    balance = serializers.IntegerField(help_text="Credits that are left.")
    open_jobs = serializers.IntegerField(help_text="Jobs that have not ended.")
    today = SumsSerializer(help_text="Since 00:00 UTC.")
    month = SumsSerializer(help_text="Since the first of the month, 00:00 UTC.")


class LedgerEntrySerializer(serializers.Serializer[LedgerEntry]):
    """One movement of the balance, which is never changed."""

    entry_id = serializers.CharField(source="id", help_text="26-character ULID of the entry.")
    seq = serializers.IntegerField(help_text="Its number in the client's ledger, from 1 on and without a gap.")
    kind = serializers.CharField(help_text="GRANT, CHARGE, REFUND or ADJUSTMENT.")
    amount = serializers.IntegerField(help_text="What it added to the balance, in credits: negative for a CHARGE.")
    balance_after = serializers.IntegerField(help_text="The balance with it: that of the entry before, and `amount`.")
    reference = serializers.CharField(help_text="Of a CHARGE or REFUND its job_id; of a GRANT what it was given for.")
    created_at = serializers.DateTimeField(help_text="When, in UTC.")


class EntriesPage(serializers.Serializer[Any]):
    """Ledger entries, newest first."""

    entries = LedgerEntrySerializer(many=True, help_text="The entries of this page.")
    next = serializers.CharField(
        allow_null=True,
        help_text="Send it as `cursor` for the next page; null on the last. A page may have fewer entries than its "
        "limit, or none, and still have a next one.",
    )


class EntriesQuery(Page, Created):
    """The parameters of GET /v1/credits/entries."""

    cursor = Count(least=0, most=2**53 - 1, help_text="The `next` of the page before.")
    kind = OneOf(choices=LedgerEntry.Kind.values, help_text="Only entries of this kind.")
    reference = Text(
        least=1,
        most=MAX_REFERENCE,
        help_text="Only the charge and the refund of the job with this id, and a grant with this reference.",
    )
    format = OneOf(
        choices=["json", "csv"],
        help_text="`csv`, as does `Accept: text/csv`: all entries that match, in one file, without pages.",
    )


class _Line:
    """A file whose lines are returned where they are written."""

    def write(self, line: str) -> str:
        return line


def as_csv(entries: Iterable[LedgerEntry]) -> Iterator[str]:
    """Yield the lines of a CSV file (RFC 4180). A text that a spreadsheet would take for a formula follows a `'`."""
    writer = csv.writer(_Line())
    names = list(LedgerEntrySerializer().fields)
    yield writer.writerow(names)
    for entry in entries:
        row = LedgerEntrySerializer(entry).data
        row["reference"] = f"'{row['reference']}" if row["reference"].startswith(FORMULA) else row["reference"]
        yield writer.writerow(row[name] for name in names)
