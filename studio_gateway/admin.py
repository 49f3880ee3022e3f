"""What every page of the staff console shares, and who may sign in to it."""

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import django_q.admin  # noqa: F401 — registers what is unregistered below
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.views import ChangeList

from studio_gateway.text import is_storable

# django-q2 can resubmit a task from its own pages, past the till.
for task_model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(task_model):
        admin.site.unregister(task_model)

M = TypeVar("M", bound=Model)
ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.IGNORECASE)
# How many rows a search finds.
FOUND = 1000
# How deep a client's JSON is laid out as text; below that it is printed as JSON. Each level costs Python stack.
READABLE_DEPTH = 6


class CappedPaginator(Paginator):
    """Counts rows to `cap` and no further, so that a list costs the same at a million rows as at two thousand."""

    object_list: QuerySet[Any]
    cap = 2000
    template_name = "admin/capped_pagination.html"

    @cached_property
    def count(self) -> int:
        # In the list's order, whose index is read: in none at all PostgreSQL may look through the whole table.
        return self.object_list.values("pk")[: self.cap].count()

    @property
    def capped(self) -> bool:
        return self.count >= self.cap


class CappedChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Or unfold would tell a count that stops at the cap for all there is; the pages' numbers say it better.
        self.full_result_count = self.result_count


class ReadOnly:
    """Rows that nobody adds, changes or deletes in the console, superusers included."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CappedList(ModelAdmin):
    """A list of a table that may be large: never counted in full, and sorted by its primary key alone."""

    paginator = CappedPaginator
    ordering: Sequence[str] = ["-pk"]
    sortable_by: tuple[str, ...] = ()
    list_per_page = 50
    list_filter_submit = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CappedChangeList


class RecordAdmin(ReadOnly, CappedList):
    """A table that grows for ever, whose rows staff read, and search only by what has an index."""

    list_fullwidth = True
    # Shows the field to search in; `searches` says what is found.
    search_fields: Sequence[str] = ["pk"]
    ulid_fields: tuple[str, ...] = ("pk",)

    def searches(self, rows: QuerySet[Any], term: str) -> list[QuerySet[Any]]:
        """Return what `term` may stand for: rows that one index finds, each."""
        return self.with_ulid(rows, term)

    def with_ulid(self, rows: QuerySet[Any], term: str) -> list[QuerySet[Any]]:
        return [rows.filter(**{field: term.upper()}) for field in self.ulid_fields] if ULID.fullmatch(term) else []

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        # One by one and before the list is read: an OR of them, with the list's order, could become a scan.
        each = [rows.values_list("pk", flat=True)[:FOUND] for rows in self.searches(queryset, term)]
        found = set(each[0].union(*each[1:])) if each else set()
        return queryset.filter(pk__in=found), False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        # What PostgreSQL cannot hold, it cannot be asked for.
        return is_storable(str(value)) and super().lookup_allowed(lookup, value, request)


class RecordInline(ReadOnly, TabularInline):
    """Rows of the record that the page shows."""

    extra = 0
    hide_title = True
    show_change_link = False


def link(page: str, pk: object, text: object = None) -> SafeString:
    """Link to the page of one row; `page` is like `billing_client`, by name because apps do not import each other."""
    return format_html('<a href="{}" class="text-link">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text or pk)


def label(text: str, colours: dict[str, str]) -> SafeString:
    """Show a word as a badge, in lists and on pages alike; colours are unfold's: info, success, warning, danger."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": colours.get(text)})


def code(text: str) -> SafeString:
    """Show an error's code; it may wrap after each underscore."""
    return format_html_join(SafeString("_<wbr>"), "{}", ((part,) for part in text.split("_")))


def list_link(page: str, text: str, **filters: object) -> SafeString:
    """Link to the list of `page`, filtered."""
    return format_html(
        '<a href="{}" class="text-link">{}</a>', reverse(f"admin:{page}_changelist", query=filters), text
    )


def find(model: type[M], object_id: object) -> M:
    """Return the row that an action's URL names. Raises Http404."""
    try:
        return model._default_manager.get(pk=unquote(str(object_id)))
    except (ObjectDoesNotExist, ValidationError, ValueError) as error:
        raise Http404 from error


def close_dialog(page: str, pk: object = None) -> HttpResponse:
    """Answer a dialog's form: send the browser, which posted it in the background, to a row's page, or to the list."""
    where = reverse(f"admin:{page}_changelist") if pk is None else reverse(f"admin:{page}_change", args=[pk])
    return HttpResponse(headers={"HX-Redirect": where})


def dialog_button(
    page: str, action: str, pk: object, text: str, *, about: object = "", look: str = "text-link", **initial: object
) -> SafeString:
    """Open the dialog of a row's action from another place than the page's head; `about` tells alike buttons apart."""
    return format_html(
        '<button type="button" class="{} cursor-pointer" aria-label="{}" hx-get="{}" hx-select="#dialog"'
        ' hx-target="#modal-content" x-on:htmx:after-on-load="openModal = true">{}</button>',
        look,
        f"{text} {about}".strip(),
        reverse(f"admin:{page}_{action}", args=[pk], query=initial or None),
        text,
    )


def show_secret(
    request: HttpRequest, *, title: str, what: str, secret: str, note: str, page: str, pk: object
) -> HttpResponse:
    """Answer a dialog's form with a page that shows a secret, and then leads on to a row's page.

    The secret is in this one answer: in no message, which a cookie or a session would keep, and behind no URL.
    """
    shown = {"title": title, "what": what, "secret": secret, "note": note}
    onward = reverse(f"admin:{page}_change", args=[pk])
    context = {**admin.site.each_context(request), **shown, "onward": onward}
    return HttpResponse(
        render_to_string("admin/secret.html", context, request),
        # The browser posted in the background, from a dialog that stands over the page.
        headers={"HX-Retarget": "#main", "HX-Reselect": "#main", "HX-Reswap": "outerHTML show:window:top"},
    )


def readable(value: Any, *, depth: int = 0) -> SafeString:
    """Lay out JSON for reading: names beside values, lists in a row. Everything in it is escaped."""
    nested = value if isinstance(value, dict | list) and value and depth < READABLE_DEPTH else None
    if isinstance(nested, dict):
        pairs = ((name, readable(below, depth=depth + 1)) for name, below in nested.items())
        return format_html('<dl class="facts">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", pairs))
    if isinstance(nested, list):
        items = ((readable(below, depth=depth + 1),) for below in nested)
        return format_html('<ul class="items">{}</ul>', format_html_join("", "<li>{}</li>", items))
    if isinstance(value, str) and value:
        return format_html("{}", value)
    if isinstance(value, dict | list) and value:
        return preformatted(json.dumps(value, indent=2, ensure_ascii=False))
    return format_html("{}", json.dumps(value))


def preformatted(text: str) -> SafeString:
    """Show text as it is, in a box that scrolls, by keyboard too."""
    return format_html('<pre class="exchange" tabindex="0">{}</pre>', text)


admin.site.index_title = "Staff console"
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(BaseUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, ModelAdmin):
    pass
