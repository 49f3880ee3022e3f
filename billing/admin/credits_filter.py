from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RadioFilter

from billing.models import Client

FEW = {"low": Q(balance__lt=F("low_credits_threshold")), "none": Q(balance=0)}


class CreditsFilter(RadioFilter):
    """Whose credits run out; the dashboard leads here."""

    title = "credits"
    parameter_name = "credits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("low", "Below their threshold"), ("none", "None left")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Client]) -> QuerySet[Client]:
        few = FEW.get(self.value() or "")
        return queryset if few is None else queryset.filter(few)
