"""Webhooks in the staff console."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from tests.conftest import Shop
from tests.console import HOSTILE, messages, signed_in, submit_dialog
from tests.helpers import post, sql
from workflows.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


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
