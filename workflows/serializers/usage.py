from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers

from studio_gateway.api.queries import Moment, OneOf, Query, fault
from workflows.usage import GROUPS, LONGEST, MOST_CHARACTERS, MOST_GROUPS


class UsageSums(serializers.Serializer[Any]):
    """What orders cost and gave back."""

    jobs = serializers.IntegerField(help_text="Jobs that were charged in the range.")
    succeeded = serializers.IntegerField(help_text="How many of them are in SUCCESS by now.")
    failed = serializers.IntegerField(help_text="How many of them are in FAILURE by now; the others are open.")
    charged = serializers.IntegerField(help_text="Credits of all CHARGEs in the range.")
    refunded = serializers.IntegerField(help_text="Credits of all REFUNDs in the range, also for earlier jobs.")


class UsageGroup(UsageSums):
    """The part of it that has one day, workflow, image_model or pilot_brand."""

    name = serializers.CharField(
        allow_null=True,
        help_text="The day of the ledger entries, like 2026-11-22; or what the orders said, of which "
        f"{MOST_CHARACTERS} characters are told. Null where they said nothing.",
    )


class UsageReport(serializers.Serializer[Any]):
    """Sums over the ledger entries of a range, but for jobs of test keys and jobs run again."""

    group_by = serializers.CharField(help_text="As it was asked for.")
    locals()["from"] = serializers.DateTimeField(help_text="The first moment of the range.")  # a word of Python's
    to = serializers.DateTimeField(help_text="The moment before which it ends.")
    total = UsageSums(help_text="The sums of all groups: what the ledger says.")
    groups = UsageGroup(
        many=True,
        help_text=f"Where something happened: days in their order, all else dearest first, {MOST_GROUPS} at most.",
    )


class UsageQuery(Query):
    """The parameters of GET /v1/usage."""

    group_by = OneOf(choices=GROUPS, default="day", help_text="What the sums are grouped by.")
    locals()["from"] = Moment(
        help_text="The first moment: RFC 3339, or a date (00:00 UTC). By default, where the month began."
    )
    to = Moment(
        help_text=f"The moment before which the range ends, {LONGEST.days} days later at most. By default, the end of "
        "today.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        attrs = {"from": today.replace(day=1), "to": today + timedelta(days=1), **attrs}
        if attrs["to"] <= attrs["from"]:
            raise serializers.ValidationError({"to": [fault("empty_range")]})
        if attrs["to"] - attrs["from"] > LONGEST:
            raise serializers.ValidationError({"to": [fault("long_range", days=LONGEST.days)]})
        return attrs
