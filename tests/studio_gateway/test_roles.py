"""Every page and every action of the staff console, with every role: who may, and that looking changes nothing."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver

import studio_gateway.urls  # noqa: F401 — registers the console's pages
from studio_gateway.roles import ROLES, set_roles
from tests.conftest import Shop
from tests.console_rows import make_rows
from tests.helpers import sql, together
from tests.http_client import HttpClient as Browser
from workflows.models import Job

SUPPORT, FINANCE, ENGINEERING, AUDITOR = ROLES
ROOT, NOBODY = "superuser", "no role"
EVERYBODY = [SUPPORT, FINANCE, ENGINEERING, AUDITOR, NOBODY, ROOT]
# Each action of the console, and the roles that may do it beside superusers.
ACTIONS = {
    "workflows_job_give_back": {SUPPORT, FINANCE},
    "workflows_job_run_again": {SUPPORT, ENGINEERING},
    "workflows_job_cancel": {ENGINEERING},
    "billing_client_grant": {FINANCE},
    "billing_client_adjust": {FINANCE},
    "billing_client_set_shopify_secret": {ENGINEERING},
    "billing_client_add_shop": {ENGINEERING},
    "billing_client_remove_shop": {ENGINEERING},
    "billing_client_make_key": {ENGINEERING},
    "billing_client_suspend": {FINANCE},
    "billing_client_lift_suspension": {FINANCE},
    "billing_apikey_revoke": {ENGINEERING},
    "workflows_webhookendpoint_make": {ENGINEERING},
    "workflows_webhookendpoint_edit": {ENGINEERING},
    "workflows_webhookendpoint_send_test": {ENGINEERING},
    "workflows_webhookendpoint_rotate": {ENGINEERING},
    "workflows_webhookendpoint_enable": {ENGINEERING},
    "workflows_webhookendpoint_disable": {ENGINEERING},
    "workflows_webhookendpoint_remove": {ENGINEERING},
    "workflows_webhookdelivery_replay": {ENGINEERING},
}
# What is done to the rows that are ticked in a list.
BULK = {
    "workflows_job_refund_selected": {SUPPORT, FINANCE},
    "workflows_job_run_selected_again": {SUPPORT, ENGINEERING},
    "billing_price_delete_selected": {FINANCE},
    "workflows_imagemodel_delete_selected": {ENGINEERING},
}
# What is added, changed and deleted by Django's own forms.
FORMS = {
    "billing_client_add": {FINANCE},
    "billing_client_change": {FINANCE, ENGINEERING},
    "billing_price_add": {FINANCE},
    "billing_price_change": {FINANCE},
    "billing_price_delete": {FINANCE},
    "workflows_workflow_change": {ENGINEERING},
    "workflows_imagemodel_add": {ENGINEERING},
    "workflows_imagemodel_change": {ENGINEERING},
    "workflows_imagemodel_delete": {ENGINEERING},
}
SENT = {
    "_form_submitted": "True",
    "post": "yes",
    "reason": "x",
    "credits": "5",
    "reference": "r",
    "url": "https://a.example",
    "domain": "cap-and-co.myshopify.com",
    "name": "x",
    "workflow": "x",
    "summary": "x",
}
SENT_BY_GET = "?" + urlencode(SENT)
OURS = {"billing", "requestlog", "workflows"}


@pytest.fixture
def rows(own_database: str) -> Shop:
    """At least one row of each sort that the console shows."""
    set_roles()
    return make_rows()


def signed_in(role: str) -> Browser:
    user = User.objects.create_user(role, is_staff=True, is_superuser=role == ROOT)
    if role in ROLES:
        user.groups.add(Group.objects.get(name=role))
    browser = Browser()
    browser.force_login(user)
    return browser


def patterns(found: list[Any] | None = None, *, prefix: str = "/admin/") -> Iterator[tuple[str, str, bool]]:
    """Every URL of the console: its name, its path and whether it is of one row; the path has one placeholder then."""
    for pattern in admin.site.get_urls() if found is None else found:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns, prefix=prefix + route)
        else:
            assert isinstance(pattern, URLPattern)
            path, of_a_row = prefix + route, "<" in route
            if of_a_row:
                start, rest = path.split("<", 1)
                path = start + "{}" + rest.split(">", 1)[1]
            yield pattern.name or "", path, of_a_row


def urls() -> list[tuple[str, str]]:
    """Every URL of the console that can be asked for, by name; those of a row for each job and two rows of the rest."""
    asked = []
    lists = {f"/admin/{m._meta.app_label}/{m._meta.model_name}/": m for m in admin.site._registry}
    for name, path, of_a_row in patterns():
        if not of_a_row:
            asked.append((name, path))
        elif model := next((model for start, model in lists.items() if path.startswith(start)), None):
            # Of jobs, because what may be done depends on their state; other rows are like one another.
            rows = model._default_manager.order_by("-pk")[: None if model is Job else 2]
            asked += [(name, path.format(row.pk)) for row in rows]
    return asked


def ours(name: str) -> bool:
    return name.split("_")[0] in OURS


def rows_of_all_tables() -> dict[str, str]:
    """A digest of each table; without sessions, which say who looks."""
    tables = sorted(set(connection.introspection.table_names()) - {"django_session"})
    digest = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
    return {table: sql(digest.format(table))[0][0] for table in tables}


def test_every_action_of_the_console_has_its_roles_above():
    found = {
        f"{model._meta.app_label}_{model._meta.model_name}_{action}"
        for model, page in admin.site._registry.items()
        if model._meta.app_label in OURS
        for place in ("actions_detail", "actions_list", "actions_row", "actions_submit_line")
        for action in page._extract_action_names(getattr(page, place))
    }
    assert found == set(ACTIONS)


def test_every_action_opens_a_dialog():
    """Without one, unfold acts on a GET."""
    for page in admin.site._registry.values():
        for place in ("detail", "list", "row", "submit_line"):
            for action in getattr(page, f"_get_base_actions_{place}")():
                assert action.dialog, action.action_name
                assert action.method.allowed_permissions, action.action_name


@pytest.mark.parametrize("role", EVERYBODY)
def test_every_page_shows_what_its_reader_may_do_and_looking_changes_nothing(rows: Shop, role: str):
    browser, offered, seen = signed_in(role), set[str](), set[str]()
    before, everything = rows_of_all_tables(), urls()
    allowed = {name for name, roles in ACTIONS.items() if role == ROOT or role in roles}
    for name, path in everything:
        if name in ("logout", "password_change", "password_change_done"):
            continue
        if name in ACTIONS:
            path += SENT_BY_GET
        answer = browser.get(path)
        assert answer.status_code in (200, 302, 403, 404, 405), path
        if name in ACTIONS:
            assert answer.status_code == (200 if name in allowed else 403), path
        if answer.status_code != 200 or answer.streaming:
            continue
        seen.add(name)
        text = answer.content.decode()
        offered |= {action for action, where in everything if action in ACTIONS and re.search(f'"{where}["?]', text)}
    assert rows_of_all_tables() == before
    # Of a pair like these only one is possible at a time.
    impossible = {"billing_client_lift_suspension", "workflows_webhookendpoint_enable"}
    assert offered - impossible == allowed - impossible
    lists = {f"{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry}
    looks = lists if role == ROOT else {name for name in lists if ours(name) and role in ROLES}
    assert seen & lists == looks


@pytest.mark.parametrize("role", EVERYBODY)
def test_what_somebody_may_not_do_is_refused_and_changes_nothing(rows: Shop, role: str):
    browser = signed_in(role)
    before, refused = rows_of_all_tables(), 0
    for name, path in urls():
        may = {**ACTIONS, **FORMS}.get(name, set())
        if not ours(name) or role in may or (role == ROOT and may):
            continue
        if name in ACTIONS or name.endswith(("_add", "_change", "_delete")):
            assert browser.post(path, SENT).status_code == 403, (name, path)
            refused += 1
    assert rows_of_all_tables() == before
    assert refused > 5


@pytest.mark.parametrize("role", EVERYBODY)
def test_what_is_done_to_many_rows_is_for_those_who_may(rows: Shop, role: str):
    browser, offered = signed_in(role), set[str]()
    request = RequestFactory().get("/")
    request.user = User.objects.get(username=role)
    for model, page in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        if ours(name) and page.has_view_permission(request):
            offered |= {f"{name}_{action}" for action in page.get_actions(request)}
    assert offered == {action for action, roles in BULK.items() if role == ROOT or role in roles}
    before = rows_of_all_tables()
    ticked = {"_selected_action": list(Job.objects.values_list("pk", flat=True)), "confirmed": "yes", "reason": "x"}
    for action in ("refund_selected", "run_selected_again", "delete_selected"):
        if f"workflows_job_{action}" not in offered:
            browser.post("/admin/workflows/job/", {**ticked, "action": action, "post": "yes"})
    assert rows_of_all_tables() == before


def test_whoever_is_not_of_the_staff_is_asked_to_sign_in(rows: Shop):
    browser = Browser()
    browser.force_login(User.objects.create_user("client"))
    for name, path in urls():
        if ours(name):
            assert browser.get(path).status_code == 302, path


def test_roles_are_set_again_and_again_and_at_once(own_database):
    assert together(*[set_roles] * 4) == [None] * 4
    assert list(Group.objects.order_by("pk").values_list("name", flat=True)).sort() == list(ROLES).sort()
    user = User.objects.create_user("sue")
    support = Group.objects.get(name=SUPPORT)
    user.groups.add(support)
    rights = set(support.permissions.values_list("pk", flat=True))
    support.permissions.add(Permission.objects.get(codename="refund_job_without_limit"))
    support.permissions.remove(Permission.objects.get(codename="refund_job"))
    call_command("staff_roles")
    assert set(support.permissions.values_list("pk", flat=True)) == rights
    assert User.objects.get(pk=user.pk).has_perm("workflows.refund_job")
    assert not User.objects.get(pk=user.pk).has_perm("workflows.refund_job_without_limit")


def test_every_right_of_a_role_is_one_that_there_is(db):
    known = {f"{app}.{name}" for app, name in Permission.objects.values_list("content_type__app_label", "codename")}
    assert {right for rights in ROLES.values() for right in rights} <= known
