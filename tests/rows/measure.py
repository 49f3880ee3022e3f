"""How long the console's pages take, and how many statements: the median of so many requests for each.

    STUDIO_DATA_DIR=/some/where python -m tests.rows.measure [URL …]

Without URLs it asks for each list, search and filter, and for a job's and a client's page, of the database that
`python -m tests.rows` filled. Pages are made in this process, from routing to the last byte.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from django.test import Client as Browser

GOAL_MS = 300


def pages() -> list[str]:
    """Name pages that hold what is common, what is rare, what is not there and what is long ago."""
    from django.utils import timezone
    from django.utils.http import urlencode

    from billing.models import Client, LedgerEntry
    from requestlog.models import RequestLog
    from workflows.models import Job, WebhookDelivery, WebhookEndpoint

    def listed(page: str, *queries: dict[str, object]) -> list[str]:
        return [f"/admin/{page}/", *(f"/admin/{page}/?{urlencode(query)}" for query in queries)]

    huge = Client.objects.order_by("-ledger_seq").first()
    usual = Client.objects.filter(ledger_seq__lt=200, ledger_seq__gt=20).order_by("pk").first()
    assert huge is not None
    assert usual is not None
    job = Job.objects.filter(status="SUCCESS", request_id__isnull=False).order_by("-pk").first()
    failed = Job.objects.filter(status="FAILURE", request_id__isnull=False).order_by("pk").first()
    assert job is not None
    assert failed is not None
    keyed = Job.objects.filter(idempotency_key__isnull=False).order_by("pk").first()
    ticket = LedgerEntry.objects.filter(kind="ADJUSTMENT").order_by("pk").first()
    delivery = WebhookDelivery.objects.order_by("-pk").first()
    endpoint = WebhookEndpoint.objects.order_by("pk").first()
    assert keyed is not None

    def ago(days: float) -> str:
        return (timezone.now() - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def day(stem: str, days: int) -> dict[str, object]:
        return {f"{stem}_after": ago(days), f"{stem}_before": ago(days - 1)}

    clients = [{"client__id__exact": client.pk} for client in (huge, usual)]
    return [
        "/admin/",
        *listed(
            "workflows/job",
            {"p": 40},
            *({"status__exact": status} for status in Job.Status),
            *({"workflow": workflow} for workflow in ("extract", "background-generator", "gone")),
            *clients,
            *({"brand": brand} for brand in ("brand 0", "brand 1999", "nobody's")),
            *({"model": model} for model in ("built-in", "gemini-2.5-flash-image", "dall-e-2", "nobody's")),
            *({"error_code": code} for code in ("unknown_model", "provider_quota", "none")),
            day("accepted", 1),
            day("accepted", 150),
            {"accepted_after": ago(150)},
            {"status__exact": "FAILURE", **clients[0]},
            {"status__exact": "FAILURE", **clients[1]},
            {"status__exact": "FAILURE", "brand": "brand 0"},
            {"status__exact": "FAILURE", "model": "dall-e-2"},
            {"status__exact": "FAILURE", "workflow": "extract", **day("accepted", 150)},
            {"status__exact": "NOT_STARTED", "brand": "brand 1"},
            {"error_code": "provider_quota", **clients[0]},
            {"error_code": "unknown_model", **day("accepted", 150)},
            {"error_code": "provider_quota", "workflow": "extract"},
            {"model": "dall-e-2", "brand": "brand 0", **clients[0]},
            {"model": "gemini-2.5-flash-image", **day("accepted", 150)},
            *({"q": term} for term in (job.pk, job.request_id, failed.request_id, keyed.idempotency_key)),
            *({"q": term} for term in ("summer 12", "Summer", "s", "nothing like it", "%")),
            {"q": "summer", **clients[0]},
            {"q": "summer", **clients[1]},
            {"q": "drop", "status__exact": "FAILURE", **day("accepted", 150)},
        ),
        f"/admin/workflows/job/{job.pk}/change/",
        f"/admin/workflows/job/{failed.pk}/change/",
        *listed("billing/client", {"q": "maple"}, {"q": "nobody"}, {"q": str(usual.pk)}, {"suspended": "yes"}),
        f"/admin/billing/client/{huge.pk}/change/",
        f"/admin/billing/client/{usual.pk}/change/",
        *listed(
            "billing/ledgerentry",
            {"p": 40},
            *({"kind__exact": kind} for kind in LedgerEntry.Kind),
            *clients,
            *({"kind__exact": kind, **clients[0]} for kind in LedgerEntry.Kind),
            day("created", 1),
            day("created", 150),
            {**day("created", 150), **clients[0]},
            {"kind__exact": "REFUND", **day("created", 150)},
            *(
                {"q": term}
                for term in (job.pk, job.request_id, job.charge_id, ticket.reference if ticket else "T", "no")
            ),
        ),
        f"/admin/billing/ledgerentry/{job.charge_id}/change/",
        *listed("billing/apikey", {"q": "sk_1"}, {"q": "maple"}),
        *listed(
            "requestlog/requestlog",
            {"p": 40},
            *({"answer": answer} for answer in "245"),
            *({"client_id": client.pk} for client in (huge, usual)),
            {"answer": "4", "client_id": huge.pk},
            {"answer": "5", "client_id": huge.pk},
            *({"q": term} for term in (job.request_id, job.pk, RequestLog.objects.filter(status=422).first(), "no")),
        ),
        f"/admin/requestlog/requestlog/{job.request_id}/change/",
        *listed("workflows/webhookendpoint", {"state": "failing"}, clients[0], {"q": endpoint}, {"q": "maple"}),
        *listed(
            "workflows/webhookdelivery",
            *({"state": state} for state in ("pending", "delivered", "failed")),
            *clients,
            {"q": delivery.pk if delivery else ""},
            {"q": job.pk},
        ),
        *(
            f"/admin/autocomplete/?app_label=workflows&model_name=job&field_name=client&term={term}"
            for term in ("maple", "nobody")
        ),
    ]


def staff() -> "Browser":
    """Return a browser that a superuser of this database is signed in with."""
    from django.contrib.auth import get_user_model
    from django.db import IntegrityError
    from django.test import Client as Browser

    with suppress(IntegrityError):
        get_user_model().objects.create_superuser("measure")
    browser = Browser(headers={"host": "localhost"})
    browser.force_login(get_user_model().objects.get(username="measure"))
    return browser


def timed(urls: Iterable[str], *, times: int) -> Iterator[tuple[str, list[float], int]]:
    """Ask for each page once and then so many times; yield its URL, its times in ms and how many statements it has."""
    from django.db import connection

    browser = staff()
    statements: list[str] = []

    def counted(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    for url in urls:
        statements.clear()
        with connection.execute_wrapper(counted):
            answer = browser.get(url)
        assert answer.status_code == 200, (url, answer.status_code)
        took = []
        for _ in range(times):
            begun = time.perf_counter()
            browser.get(url)
            took.append((time.perf_counter() - begun) * 1000)
        yield url, took, len(statements)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.rows.measure", description="Time the console's pages.")
    parser.add_argument("urls", nargs="*", metavar="URL")
    parser.add_argument("--times", type=int, default=15)
    asked = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio_gateway.settings")
    django.setup()
    slow = 0
    for url, took, statements in timed(asked.urls or pages(), times=asked.times):
        median = statistics.median(took)
        slow += median > GOAL_MS
        print(f"{median:7.0f} ms {statements:3} statements{' SLOW' if median > GOAL_MS else ''}  {url}", flush=True)
    print(f"{slow} over {GOAL_MS} ms")


if __name__ == "__main__":
    main()
