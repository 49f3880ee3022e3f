"""Webhooks in the staff console."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from studio_gateway.encryption import decrypt
from tests.conftest import Shop
from tests.console import HOSTILE, messages, secret_in, signed_in, submit_dialog
from tests.helpers import post, sql
from workflows.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from workflows.webhooks.events import MAX_ENDPOINTS


@pytest.fixture
def secret(own_database: str, shop: Shop) -> str:
    """Make an endpoint that a delivery failed at; return its secret."""
    made = post(shop, "/v1/webhook-endpoints", {"url": "https://hooks.example/?<b>"}).json()
    post(shop, f"/v1/webhook-endpoints/{made['endpoint_id']}/test", {})
    sql("UPDATE workflows_webhookdelivery SET attempts = 1, next_attempt_at = NULL, gave_up_at = now()")
    WebhookAttempt.objects.create(
        delivery=WebhookDelivery.objects.get(),
        number=1,
        worker="w",
        at=made["created_at"],
        duration_ms=7,
        url=made["url"],
        request_headers={"webhook-id": HOSTILE},
        status=500,
        error="It answered 500.",
        response_excerpt=HOSTILE,
    )
    return made["secret"]


def page(row: Any) -> str:
    return f"/admin/workflows/{row._meta.model_name}/{row.pk}/"


def test_endpoints_are_found_by_their_state_and_their_client(secret: str):
    browser = signed_in()

    def found(**parameters: str) -> int:
        return len(browser.get("/admin/workflows/webhookendpoint/", parameters).context["cl"].result_list)

    for state, change in (
        ("enabled", "failing_since = NULL"),
        ("failing", "failing_since = now()"),
        ("disabled", "disabled_at = now(), disabled_reason = 'x'"),
        ("deleted", "deleted_at = now(), encrypted_secret = ''"),
    ):
        sql(f"UPDATE workflows_webhookendpoint SET {change}")
        states = ("enabled", "failing", "disabled", "deleted")
        assert [found(state=each) for each in states] == [each == state for each in states]
    assert found(q="SHO") == 1
    assert found(q="hop") == 0
    delivery = WebhookDelivery.objects.get()
    for term in (delivery.pk, delivery.event_id):
        assert browser.get("/admin/workflows/webhookdelivery/", {"q": term}).context["cl"].result_count == 1


def test_staff_see_endpoints_and_deliveries_and_no_secret(secret: str):
    browser = signed_in()
    endpoint, delivery = WebhookEndpoint.objects.get(), WebhookDelivery.objects.get()
    for path in (
        "/admin/workflows/webhookendpoint/",
        f"{page(endpoint)}change/",
        f"/admin/workflows/webhookdelivery/?q={delivery.pk}&state=failed&endpoint__id__exact={endpoint.pk}",
        f"{page(delivery)}change/",
    ):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        text = answer.content.decode()
        assert "hooks.example" in text
        assert HOSTILE not in text and "?<b>" not in text
        assert secret not in text and endpoint.encrypted_secret not in text
    assert "It answered 500." in text
    assert "endpoint.test" in text


def test_a_delivery_is_replayed(secret: str):
    browser, delivery = signed_in(), WebhookDelivery.objects.get()
    answer = submit_dialog(browser, f"{page(delivery)}replay/")
    assert answer.headers["HX-Redirect"] == f"{page(delivery)}change/"
    assert messages(browser) == ["It is sent again."]
    delivery.refresh_from_db()
    assert delivery.status == "pending"
    assert LogEntry.objects.get().change_message == "Replayed"
    sql("UPDATE workflows_webhookendpoint SET disabled_at = now(), disabled_reason = 'r'")
    submit_dialog(browser, f"{page(delivery)}replay/")
    assert "is disabled" in messages(browser)[0]
    assert LogEntry.objects.count() == 1


def test_who_may_only_look_cannot_replay(secret: str, django_user_model: Any):
    browser, delivery = signed_in(), WebhookDelivery.objects.get()
    viewer = django_user_model.objects.create_user("eve", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_webhookdelivery"))
    browser.force_login(viewer)
    assert browser.get(f"{page(delivery)}change/").status_code == 200
    assert browser.post(f"{page(delivery)}replay/").status_code == 403
    delivery.refresh_from_db()
    assert delivery.status == "failed"


def test_staff_make_an_endpoint_and_see_its_secret_once(secret: str, shop: Shop):
    browser, path = signed_in(), "/admin/workflows/webhookendpoint/make/"
    good = {"client": shop.client.pk, "url": "https://hooks.example/2", "event_types": ["job.failed"]}
    for wrong in ({"client": 0}, {"client": 10**6}, {"url": "http://10.0.0.1/"}, {"event_types": ["job.made"]}):
        assert submit_dialog(browser, path, **{**good, **wrong}).context["form"].errors.keys() == wrong.keys()
        assert WebhookEndpoint.objects.count() == 1
    answer = submit_dialog(browser, path, **good)
    made = WebhookEndpoint.objects.latest("pk")
    assert f'href="{page(made)}change/"' in answer.content.decode()
    assert (made.client_id, made.url, made.event_types) == (shop.client.pk, "https://hooks.example/2", ["job.failed"])
    assert decrypt(made.encrypted_secret) == secret_in(answer, browser)
    for _ in range(MAX_ENDPOINTS - 1):
        submit_dialog(browser, path, **good)
    assert WebhookEndpoint.objects.count() == MAX_ENDPOINTS
    assert str(MAX_ENDPOINTS) in messages(browser)[-1]


def test_staff_change_test_rotate_disable_enable_and_delete_an_endpoint(secret: str):
    browser, endpoint = signed_in(), WebhookEndpoint.objects.get()

    def act(name: str, **fields: object) -> str:
        submit_dialog(browser, f"{page(endpoint)}{name}/", **fields)
        endpoint.refresh_from_db()
        return messages(browser)[-1]

    def offered() -> set[str]:
        text = browser.get(f"{page(endpoint)}change/").content.decode()
        names = ("edit", "send_test", "rotate", "enable", "disable", "remove")
        return {name for name in names if f"{endpoint.pk}/{name.replace('_', '-')}" in text or f"/{name}/" in text}

    assert offered() == {"edit", "send_test", "rotate", "disable", "remove"}
    form = browser.get(f"{page(endpoint)}edit/").context["form"]
    assert (form["url"].value(), form["event_types"].value()) == (endpoint.url, [])
    assert act("edit", url="https://hooks.example/3", event_types=["job.refunded"]) == "Changed."
    assert (endpoint.url, endpoint.event_types) == ("https://hooks.example/3", ["job.refunded"])
    assert act("send_test") == "Sent a test."
    assert WebhookDelivery.objects.filter(next_attempt_at__isnull=False).count() == 1
    new = secret_in(submit_dialog(browser, f"{page(endpoint)}rotate/"), browser)
    endpoint.refresh_from_db()
    assert (decrypt(endpoint.encrypted_secret), decrypt(endpoint.previous_encrypted_secret)) == (new, secret)
    assert act("disable") == "Disabled."
    assert (endpoint.disabled_reason, offered()) == ("Staff disabled it.", {"edit", "rotate", "enable", "remove"})
    assert "is disabled" in act("send_test")
    assert act("enable") == "Enabled."
    assert endpoint.disabled_at is None
    assert act("remove") == "Deleted."
    assert (endpoint.disabled_reason, endpoint.encrypted_secret) == ("Staff deleted it.", "")
    assert offered() == set()
    said = [entry.change_message for entry in LogEntry.objects.order_by("pk")]
    assert said == ["Changed", "Sent a test", "Rotated its secret", "Disabled", "Enabled", "Deleted"]


def test_who_may_only_look_changes_no_endpoint_and_no_get_does(secret: str, django_user_model: Any):
    browser, endpoint = signed_in(), WebhookEndpoint.objects.get()
    paths = [f"{page(endpoint)}{name}/" for name in ("edit", "send_test", "rotate", "enable", "disable", "remove")]
    paths.append("/admin/workflows/webhookendpoint/make/")
    before = list(WebhookEndpoint.objects.values())
    for path in paths:
        assert browser.get(path).status_code == 200
    viewer = django_user_model.objects.create_user("eve", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_webhookendpoint"))
    browser.force_login(viewer)
    for path in paths:
        assert (browser.get(path).status_code, browser.post(path).status_code) == (403, 403), path
    assert list(WebhookEndpoint.objects.values()) == before


def test_the_page_of_a_client_shows_its_endpoints_and_their_state(secret: str, shop: Shop):
    endpoint, browser = WebhookEndpoint.objects.get(), signed_in()
    path = f"/admin/billing/client/{shop.client.pk}/change/"

    def shown() -> str:
        return " ".join(browser.get(path).content.decode().split())

    assert f'href="{page(endpoint)}change/" class="text-link">https://hooks.example/?&lt;b&gt;</a>' in shown()
    assert secret not in shown() and endpoint.encrypted_secret not in shown()
    other = Shop.make(name="Other")
    assert page(endpoint) not in browser.get(f"/admin/billing/client/{other.client.pk}/change/").content.decode()
    submit_dialog(browser, f"{page(endpoint)}remove/")
    assert page(endpoint) not in shown()
