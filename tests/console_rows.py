"""One row at least of everything that the console shows, and what hostile clients would write into them."""

import io
import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import BinaryField, Field, JSONField, Model, TextField
from django.db.models.fields import CharField
from django.test import RequestFactory
from django.urls import reverse
from PIL import Image

from billing import shopify
from billing.models import Client
from requestlog.models import RequestLog
from tests import console
from tests.conftest import Shop
from tests.helpers import claimed, post, sql
from workflows import jobs
from workflows.models import Job, Reconciliation, WebhookAttempt, WebhookDelivery

SPEC = {
    "scene_type": "podium",
    "mood": "calm",
    "dominant_colors": ["sage"],
    "display_name": "Podium",
    "resolution": "512",
}

# An element, an attribute, a script, and ends of whatever the text may stand in.
ELEMENT = "<x-owned>"
HOSTILE = (
    f"""{ELEMENT}'+owned()+'"><img src=x onerror=owned()><script>owned()</script>"""
    "</textarea></title>--></style>{{ 7*7 }}"
)
# Columns that a constraint lets have each value but once, together with others.
ONCE = {"model", "name", "reference"}
# Text that runs the other way, and a word that is wider than any screen.
WIDE = f"\u202e{HOSTILE}\u2066{'W' * 300}"

# What the gateway makes up itself and looks rows up by, and what the database lets nobody write such things into.
OURS = {"digest", "order_digest", "sha256", "key", "thumbnail_key", "encrypted", "fingerprint", "encrypted_secret"}
OURS |= {"previous_encrypted_secret", "password", "domain", "workflow", "output_format", "type", "pixel_class"}
OURS |= {"checked", "violations"}


def make_rows() -> Shop:
    """Make a client with a job in each state, and with all that hangs on clients and jobs."""
    shop = Shop.make(name="Cap & Co")
    Client.objects.filter(pk=shop.client.pk).update(storage_prefixes=["shared/"], low_credits_threshold=10)
    shopify.set_secret(client_id=shop.client.pk, secret="hush" * 8)
    shopify.add_shop(client_id=shop.client.pk, domain="cap-and-co.myshopify.com")
    endpoint = post(shop, "/v1/webhook-endpoints", {"url": "https://hooks.example/gateway"}).json()

    done = console.order(shop.client, spec=SPEC, body=json.dumps(SPEC).encode())
    _succeed(done)
    jobs.refund(job_id=done.pk, reason="wrong colours", actor="ada")
    _succeed(console.order(shop.client, spec=SPEC))
    console.fail(console.order(shop.client, spec=SPEC), message="There is no such model.")
    claimed(console.order(shop.client, spec=SPEC), worker="host:1")
    waiting = console.order(shop.client, spec=SPEC)
    jobs.run_again(job_id=done.pk, actor="ada")
    # Nobody takes these meanwhile, and they do not end.
    sql(
        "UPDATE workflows_job SET run_after = now() + interval '1 day', deadline_at = now() + interval '1 day', "
        "lease_until = lease_until + interval '1 day' WHERE ended_at IS NULL"
    )
    Job.objects.filter(pk=waiting.pk).update(idempotency_key="order-1", order_digest="0" * 64)
    post(shop, "/v1/extract", {"trial_image": 7})

    WebhookDelivery.objects.update(attempts=1, next_attempt_at=None, gave_up_at=done.accepted_at)
    WebhookAttempt.objects.create(
        delivery=WebhookDelivery.objects.earliest("pk"),
        number=1,
        worker="host:2",
        at=endpoint["created_at"],
        duration_ms=7,
        url=endpoint["url"],
        request_headers={"webhook-id": "1"},
        status=500,
        error="It answered 500.",
        response_excerpt="Internal Server Error",
    )
    broken = {"promise": "P1", "client_id": shop.client.pk, "job_id": done.pk, "detail": "no charge", "fixed": False}
    Reconciliation.objects.create(checked={"clients": 1, "jobs": 6}, found=1, fixed=0, violations=[broken])
    Group.objects.get_or_create(name="Weekend")
    user = get_user_model().objects.create_user("linus", email="linus@example.com", first_name="Linus", is_staff=True)
    for row in (shop.client, done, user):
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(row),
            object_id=row.pk,
            object_repr=str(row),
            action_flag=CHANGE,
            change_message="Looked after it.",
        )
    return shop


def _succeed(job: Job) -> None:
    attempt = claimed(job, worker="host:1")
    image = io.BytesIO()
    Image.new("RGBA", (64, 64), "teal").save(image, "PNG")
    made = console.output(attempt, name="background.png", width=64, height=64, details={"box": [0, 0, 64, 64]})
    made.key = default_storage.save(f"{made.key}.png", ContentFile(image.getvalue()))
    assert jobs.succeed(attempt, outputs=[made], summary={"engine": "built-in", "colors": ["#008080"]})


def spoil(text: str, *, but: Model) -> None:
    """Write `text` into all that is text in any row of the console or of what hangs on it, `but` for one row."""
    connection.check_constraints()  # while one is still to be checked, no table can be altered
    for model in {RequestLog, *_models()}:
        table = model._meta.db_table
        sql(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
        for row in model._default_manager.all():
            changes = {f.attname: _hostile(f, text, row) for f in model._meta.concrete_fields if _is_theirs(f, row)}
            if changes and row != but:
                model._default_manager.filter(pk=row.pk).update(**changes)
        connection.check_constraints()
        sql(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')


def _models() -> Iterator[type[Model]]:
    yield LogEntry
    for model, shown in admin.site._registry.items():
        yield model
        yield from (inline.model for inline in shown.inlines)
    for relation in WebhookDelivery._meta.related_objects:
        yield relation.related_model
    yield WebhookDelivery._meta.get_field("event").related_model


def _is_theirs(field: Field, row: Model) -> bool:
    if field.primary_key or field.choices or field.name in OURS or getattr(field, "generated", False):
        return False
    if isinstance(field, JSONField | BinaryField):
        return True
    # Where nothing stands, a constraint often says that nothing may.
    return isinstance(field, CharField | TextField) and bool(getattr(row, field.attname))


def _hostile(field: Field, text: str, row: Model) -> Any:
    if isinstance(field, BinaryField):
        return text.encode()
    if isinstance(field, JSONField):
        known = getattr(row, field.attname)
        named = dict.fromkeys(known if isinstance(known, dict) else (), text)
        return {**named, text: [text, {text: text}]}
    if field.name == "body":  # of an event, which is JSON
        return json.dumps({"type": text, "data": {text: text}})
    return f"{row.pk}{text}"[: field.max_length] if field.unique or field.name in ONCE else text[: field.max_length]


def pages(*, rows: int = 4) -> Iterator[str]:
    """Name every page of the console: of each model its list, full and empty, and of its latest rows all there is."""
    request = RequestFactory().get("/")
    request.user = get_user_model()(is_active=True, is_superuser=True)
    yield from ("/admin/", "/admin/password_change/")
    for model, shown in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        latest = list(model._default_manager.order_by("-pk")[: 6 if model is Job else rows])
        assert latest, f"make_rows() makes no {model.__name__}"
        yield from (reverse(f"{name}_changelist"), f"{reverse(f'{name}_changelist')}?q=nothing-of-the-kind")
        if shown.has_add_permission(request):
            yield reverse(f"{name}_add")
        for row in latest:
            yield from (reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "history"))
            if shown.has_delete_permission(request, row):
                yield reverse(f"{name}_delete", args=[row.pk])
