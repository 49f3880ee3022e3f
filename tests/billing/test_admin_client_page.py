"""What the staff console shows of clients: their lists, their money by day, and what it costs to show them."""

import json
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import bill, ledger, shopify
from billing.models import Client
from tests.conftest import Shop
from tests.console import HOSTILE, fail, order, signed_in, succeed
from tests.helpers import dated, sql

LIST = "/admin/billing/client/"

# A client with so many charges, spread over the last 29 days.
BUSY = """
INSERT INTO billing_ledgerentry (id, client_id, seq, kind, amount, balance_after, reference, reason, actor, created_at)
SELECT lpad(n::text, 26, '0'), %s, n + 1, 'CHARGE', -1, 1, lpad(n::text, 26, '0'), '', '',
       now() - n * interval '29 days' / %s
  FROM generate_series(1, %s) n
"""
CROWD = """
INSERT INTO billing_client (name, balance, ledger_seq, open_jobs, max_open_jobs, storage_prefixes, created_at)
SELECT 'Client ' || n, 0, 0, 0, 10, '{}', now() FROM generate_series(1, %s) n
"""


def page(client: Client) -> str:
    return f"{LIST}{client.pk}/change/"


def plans(queries: CaptureQueriesContext, table: str) -> str:
    """How the database runs what was asked of `table`."""
    asked = [query["sql"] for query in queries.captured_queries if f"FROM {table}" in query["sql"].replace('"', "")]
    assert asked
    return "\n".join(line for statement in asked for (line,) in sql(f"EXPLAIN {statement}"))


def found(browser: Any, term: str) -> list[str]:
    return [client.name for client in browser.get(LIST, {"q": term}).context["cl"].result_list]


def test_the_page_adds_up_each_of_the_last_thirty_days(db):
    shop = Shop.make(credits=5000)
    for cost in (1, 20, 300, 1000):
        succeed(order(shop.client, cost=cost))
    fail(order(shop.client, cost=7))
    ledger.adjust(client_id=shop.client.pk, credits=-9, reason="neither charged nor refunded")
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for seq, at in (
        (2, today - timedelta(days=29)),
        (3, today - timedelta(days=29, microseconds=1)),
        (4, today - timedelta(microseconds=1)),
    ):
        dated(shop, seq, at)
    answer = signed_in().get(page(shop.client))
    chart = json.loads(answer.context["chart"])
    charged, refunded = (series["data"] for series in chart["datasets"])
    assert (len(chart["labels"]), len(charged), len(refunded)) == (30, 30, 30)
    assert charged == [1, *[0] * 27, 300, 1007]
    assert refunded == [*[0] * 29, 7]
    html = " ".join(answer.content.decode().split())
    day = f"{today.day} {today:%b %Y}"
    assert f'<tr><th scope="row">{day}</th><td>1,007</td><td>7</td></tr>' in html
    assert "<dd>3,670</dd>" in html
    since = f"{today - timedelta(days=29):%Y-%m-%d}T00:00:00Z".replace(":", "%3A")
    for kind, amount in (("CHARGE", "1,308"), ("REFUND", "7")):
        where = f"kind__exact={kind}&amp;client__id__exact={shop.client.pk}&amp;created_after={since}"
        assert f'<a href="/admin/billing/ledgerentry/?{where}" class="text-link">{amount}</a>' in html


def test_a_client_without_orders_is_told_to_have_none(db, shop: Shop):
    Shop.make()
    html = signed_in().get(page(shop.client)).content.decode()
    assert "Nothing was charged or refunded in the last 30 days." in html
    assert "<canvas" not in html


def test_the_page_leads_to_all_that_is_the_clients(db, shop: Shop):
    browser = signed_in()
    html = browser.get(page(shop.client)).content.decode()
    for app, model, name in (
        ("workflows", "job", "client__id__exact"),
        ("billing", "ledgerentry", "client__id__exact"),
        ("requestlog", "requestlog", "client_id"),
        ("workflows", "webhookendpoint", "client__id__exact"),
    ):
        path = f"/admin/{app}/{model}/?{name}={shop.client.pk}"
        assert f'href="{path}"' in html
        assert browser.get(path).status_code == 200


def test_a_hundred_thousand_entries_are_added_up_from_the_index_alone(own_database, shop: Shop):
    sql(BUSY, shop.client.pk, 100_000, 100_000)
    sql("VACUUM ANALYZE billing_ledgerentry")
    browser = signed_in()
    browser.get(page(shop.client))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = browser.get(page(shop.client))
    assert sum(json.loads(answer.context["chart"])["datasets"][0]["data"]) == 100_000
    assert len(queries) < 15
    plan = plans(queries, "billing_ledgerentry")
    assert "Index Only Scan using ledger_by_client_and_time" in plan
    assert "Seq Scan" not in plan


def test_a_page_costs_as_many_statements_however_many_keys_and_shops_it_shows(db, shop: Shop):
    browser = signed_in()

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(page(shop.client)).status_code == 200
        return len(queries)

    shopify.add_shop(client_id=shop.client.pk, domain="shop.example")
    statements()
    few = statements()
    for n in range(5):
        shopify.add_shop(client_id=shop.client.pk, domain=f"shop-{n}.example")
        browser.post(f"{LIST}{shop.client.pk}/make_key/", {"_form_submitted": "True"})
    assert shop.client.api_keys.count() == 6
    assert statements() == few


def test_the_list_shows_balances_open_jobs_and_status_in_few_statements(db, shop: Shop):
    for n in range(20):
        Client.objects.create(name=f"Client {n}")
    order(shop.client)
    browser = signed_in()
    browser.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        html = browser.get(LIST).content.decode()
    assert len(queries) < 8
    assert '<td class="field-balance' in html
    for text in ("97", "1 of 1000", "active"):
        assert text in html


def test_a_client_is_found_by_the_beginning_of_its_name_and_by_its_number(db):
    for name in ("Cap and Co", "cap shop", "The Cap"):
        last = Client.objects.create(name=name)
    browser = signed_in()
    assert found(browser, "cap") == found(browser, " CAP ") == ["cap shop", "Cap and Co"]
    assert found(browser, "cap and") == ["Cap and Co"]
    assert found(browser, str(last.pk)) == ["The Cap"]
    for none in ("and", "%", "_ap", "9" * 18, "9" * 5000, "\\", HOSTILE):
        assert found(browser, none) == []
    Client.objects.create(name="50% off_\\")
    assert found(browser, "50% off_\\") == ["50% off_\\"]


def test_no_search_and_no_list_of_clients_reads_them_all(db):
    sql(CROWD, 20_000)
    sql("ANALYZE billing_client")
    browser = signed_in()
    for term, index in (
        ("", "billing_client_pkey"),
        ("client 1999", "client_by_name"),
        (str(Client.objects.latest("pk").pk), "billing_client_pkey"),
    ):
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(LIST, {"q": term}).status_code == 200
        plan = plans(queries, "billing_client")
        assert index in plan
        # The count of all of them, which stops at its cap, may; what is found is sorted, and is little.
        assert ("Sort" if term == "" else "Seq Scan") not in plan


def test_a_hostile_name_is_shown_as_text(db, shop: Shop):
    Client.objects.update(name=HOSTILE)
    shopify.add_shop(client_id=shop.client.pk, domain="cap-and-co.myshopify.com")
    browser, path = signed_in(), f"{LIST}{shop.client.pk}/"
    key = f"/admin/billing/apikey/{shop.client.api_keys.get().pk}/"
    fail(order(shop.client))
    pages = [browser.get(f"{path}{action}/") for action in ("change", "grant", "adjust", "history")]
    pages += [browser.get(where) for where in (LIST, f"{key}change/", "/admin/billing/apikey/")]
    pages += [browser.get("/admin/billing/ledgerentry/"), browser.get(LIST, {"q": HOSTILE})]
    pages.append(browser.post(f"{path}make_key/", {"_form_submitted": "True"}))
    pages.append(browser.post(f"{path}set_shopify_secret/", {"_form_submitted": "True"}))
    for answer in pages:
        assert answer.status_code == 200
        html = answer.content.decode()
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert(1)" not in html
        assert "<img src=x" not in html


def test_a_day_is_a_day_in_utc(db, shop: Shop):
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
        (today,) = cursor.fetchone()
    days = [day for day, _ in bill.last_days(client=shop.client, count=3)]
    assert days == [today - timedelta(days=2), today - timedelta(days=1), today]
