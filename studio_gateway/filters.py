"""Filters that the console's lists share. Each reads an index; none looks through a table for what it could offer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from unfold.contrib.filters.admin import TextFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from studio_gateway.ids import SKEW, first_ulid


class TextIs(TextFilter):
    """What has exactly the text that somebody types."""

    def matching(self, text: str) -> Q:
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.matching(self.value())) if self.value() else queryset


class TimesForm(forms.Form):
    def __init__(self, *, label: str, data: dict[str, str]) -> None:
        super().__init__(data)
        for name in data:
            self.fields[name] = forms.CharField(
                label=f"{label} {name.rpartition('_')[2]} (UTC)",
                required=False,
                widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": 1}),
            )


class TimeFilter(admin.ListFilter):
    """When a row was made, from `…_after` on and before `…_before`: ISO 8601, in UTC unless it says otherwise.

    The rows are looked for by their ULIDs, whose index is in the order of time.
    """

    template = "unfold/filters/filters_field.html"
    column = ""

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: admin.ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.used_parameters: dict[str, Any] = {}
        for name in self.names:
            if text := params.pop(name, [""])[-1]:
                self.used_parameters[name] = self._moment(request, text)

    def has_output(self) -> bool:
        return True

    @property
    def names(self) -> list[str]:
        stem = self.column.removesuffix("_at")
        return [f"{stem}_after", f"{stem}_before"]

    def expected_parameters(self) -> list[str | None]:
        return [*self.names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        after, before = (self.used_parameters.get(name) for name in self.names)
        if after is not None:
            queryset = queryset.filter(**{"pk__gte": first_ulid(after, -SKEW), f"{self.column}__gte": after})
        if before is not None:
            queryset = queryset.filter(**{"pk__lt": first_ulid(before, SKEW), f"{self.column}__lt": before})
        return queryset

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        told = {name: self.used_parameters.get(name) for name in self.names}
        shown = {name: moment.strftime("%Y-%m-%dT%H:%M:%S") if moment else "" for name, moment in told.items()}
        yield {"form": TimesForm(label=str(self.title).capitalize(), data=shown)}

    def _moment(self, request: HttpRequest, text: str) -> datetime:
        try:
            moment = parse_datetime(text)
            if moment is not None:
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # it looks like a time, and there is none such
        messages.error(request, f"{text[:40]} is not a time like 2026-11-22T10:00:00Z.")
        raise IncorrectLookupParameters
