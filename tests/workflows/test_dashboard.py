"""The console's first page: its figures against jobs of known times, and who sees which of them."""

import itertools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from billing.models import Client, LedgerEntry
from studio_gateway.ids import last_ulid, new_ulid
from tests.conftest import Shop
from tests.console import HOSTILE, signed_in
from tests.helpers import move, order, sql
from tests.http_client import HttpClient as Browser
from workflows.models import Job, Reconciliation, WebhookEndpoint

# Half past ten on a Tuesday, when nothing that the tests leave to the database's clock happens.
NOW = datetime(2024, 5, 14, 10, 30, 15, 250_000, tzinfo=UTC)
SECTIONS = {"jobs", "money", "balances", "endpoints", "reconciliation"}
# Of an empty page: user, session, and one for each of what the page tells.
QUERIES = 12
seqs = itertools.count(1000)


@pytest.fixture(autouse=True)
def at_half_past_ten(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[datetime], None]]:
    """The clock that "the last hours" are counted back from; call it to move that."""

    def move_to(moment: datetime) -> None:
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)

    cache.clear()
    move_to(NOW)
    yield move_to
    cache.clear()


def ulid_at(moment: datetime) -> str:
    return last_ulid(moment)[:10] + new_ulid()[10:]


def job(
    shop: Shop,
    *,
    at: datetime = NOW - timedelta(hours=2),
    status: str = "SUCCESS",
    waited: float | None = 1,
    ran: float = 2,
    spec: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Make a job that was accepted at `at`, began `waited` seconds later and, if it has, ended after `ran` more."""
    made, pk = order(shop, credits=0), ulid_at(at)
    started = None if waited is None else at + timedelta(seconds=waited)
    ended = (started or at) + timedelta(seconds=ran) if status in ("SUCCESS", "FAILURE") else None
    if status == "FAILURE":
        changes |= {"error_code": "broken", "refund_id": entry(shop, at=ended, kind="REFUND", amount=0, reference=pk)}
    Job.objects.filter(pk=made.pk).update(
        **{"id": pk, "status": status, "accepted_at": at, "started_at": started, "ended_at": ended},
        **{"attempt": 0 if waited is None else 1, "spec": spec or {}, **changes},
    )
    return pk


def entry(shop: Shop, *, at: datetime, kind: str, amount: int, reference: str = "", reason: str = "") -> str:
    return LedgerEntry.objects.create(
        **{"id": ulid_at(at), "client": shop.client, "seq": next(seqs), "kind": kind, "amount": amount},
        **{"balance_after": 0, "reference": reference or new_ulid(), "reason": reason, "created_at": at},
    ).pk


def endpoint(shop: Shop, **state: Any) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(client=shop.client, url="https://shop.example/hook", **state)


def shown(browser: Browser, **query: str) -> dict[str, Any]:
    answer = browser.get("/admin/", query)
    assert answer.status_code == 200
    assert not re.search(r"\b(NaN|None|nan)\b", answer.content.decode())
    return answer.context["figures"]


def text(value: Any) -> Any:
    """What a figure, or each in a table's rows, reads as."""
    if isinstance(value, list):
        return [text(each) for each in value]
    return unescape(strip_tags(value)) if isinstance(value, SafeString) else value


def href(value: str) -> str:
    return unescape(re.search(r'href="([^"]+)"', str(value))[1])


def test_a_fresh_database_shows_zeroes_and_says_that_there_is_nothing(db):
    browser = signed_in()
    html = browser.get("/admin/").content.decode()
    for words in ("No jobs in this range.", "No charges in this range.", "It has never run here"):
        assert words in html
    assert "<canvas" not in html
    figures = shown(browser)
    assert text([figures["jobs"][name] for name in ("jobs", "failure_rate", "oldest")]) == ["0", "–", "0 s"]
    assert text(list(figures["jobs"]["waiting"].values())) == ["–", "–"]
    assert text([figures["money"]["charged"], figures["money"]["refunded"]]) == ["0", "0"]
    assert text([figures["balances"]["low"], figures["endpoints"]["failing"]]) == ["0", "0"]


def test_rates_and_times_are_those_of_the_jobs(db, shop: Shop):
    for waited, ran in ((1, 10), (2, 20), (3, 30), (4, 40), (10, 100)):
        job(shop, waited=waited, ran=ran, is_test=True)
    job(shop, status="FAILURE", waited=None, workflow="extract", spec={"image_model": "some-model"})
    job(shop, status="NOT_STARTED", waited=None)
    job(shop, status="IN_PROGRESS", waited=3)
    jobs = shown(signed_in())["jobs"]
    assert text([jobs["jobs"], jobs["failure_rate"], jobs["failed"], jobs["ended"]]) == ["8", "16.7%", "1", "6"]
    # Of 1, 2, 3, 3, 4, 10, and of 10, 20, 30, 40, 100: between two of them in proportion.
    assert text(list(jobs["waiting"].values())) == ["3.0 s", "8.5 s"]
    assert text(list(jobs["running"].values())) == ["30.0 s", "1 min 28 s"]
    assert text(jobs["workflows"]["rows"]) == [
        ["extract", "100.0%", "1", "1"],
        ["background-generator", "0.0%", "0", "5"],
    ]
    assert text(jobs["models"]["rows"]) == [["some-model", "100.0%", "1", "1"], ["built-in", "0.0%", "0", "5"]]
    assert [text(link) for _, link in jobs["legend"]] == ["SUCCESS 5", "FAILURE 1", "IN_PROGRESS 1", "NOT_STARTED 1"]


def test_each_number_of_jobs_is_how_many_its_list_shows(db, shop: Shop):
    for minutes, status, workflow, model in (
        *((1, "SUCCESS", "extract", None), (6, "FAILURE", "extract", None), (6, "FAILURE", "extract", "a model")),
        *((20, "SUCCESS", "background-generator", "a model"), (20, "NOT_STARTED", "background-generator", "other")),
        (90, "FAILURE", "extract", "a model"),
    ):
        waited = None if status == "NOT_STARTED" else 1
        spec = {"image_model": model} if model else {}
        job(shop, at=NOW - timedelta(minutes=minutes), status=status, workflow=workflow, spec=spec, waited=waited)
    browser = signed_in()
    html = browser.get("/admin/", {"range": "1h"}).content.decode()
    links = re.findall(r'href="(/admin/workflows/job/\?[^"]+)"[^>]*>(?:[A-Z_]+ )?(\d+)(?: [A-Z_]+)?<', html)
    # All of them, by status and by bar; two workflows, three models, and what is open now.
    assert len(links) == 1 + 4 + 13 * 4 + 2 + 3 + 2
    for url, number in links:
        assert len(browser.get(unescape(url)).context["cl"].result_list) == int(number), url


def test_each_bar_has_the_jobs_of_its_hour(db, shop: Shop):
    hour = NOW.replace(hour=9, minute=0, second=0, microsecond=0)
    for at in (hour, hour + timedelta(minutes=59, seconds=59.999), hour - timedelta(milliseconds=1)):
        job(shop, at=at)
    job(shop, at=hour, status="FAILURE")
    table = shown(signed_in())["jobs"]["chart"]["table"]
    rows = {row[0]: row[1:] for row in text(table["rows"])}
    assert table["headers"] == ["From (UTC)", "SUCCESS", "FAILURE", "IN_PROGRESS", "NOT_STARTED"]
    assert len(rows) == 25
    assert (rows["2024-05-14 08:00"], rows["2024-05-14 09:00"]) == (["1", "0", "0", "0"], ["2", "1", "0", "0"])
    assert sum(int(figure) for row in rows.values() for figure in row) == 4


@pytest.mark.parametrize(
    ("name", "since", "bars", "title"),
    [
        ("1h", "2024-05-14T09:30", 13, "Jobs by 5 minutes"),
        ("24h", "2024-05-13T10:00", 25, "Jobs by hour"),
        ("7d", "2024-05-07T00:00", 8, "Jobs by day"),
        ("30d", "2024-04-14T00:00", 31, "Jobs by day"),
    ],
)
def test_a_range_begins_with_a_whole_bar_and_ends_now(db, shop: Shop, name: str, since: str, bars: int, title: str):
    begin = datetime.fromisoformat(f"{since}+00:00")
    for at in (begin - timedelta(milliseconds=1), begin, NOW, NOW + timedelta(seconds=1)):
        job(shop, at=at)
        entry(shop, at=at, kind="CHARGE", amount=-7)
    figures = shown(signed_in(), range=name)
    jobs, money = figures["jobs"], figures["money"]
    assert text([jobs["jobs"], money["charged"]]) == ["2", "14"]
    assert (len(jobs["chart"]["table"]["rows"]), jobs["chart"]["title"]) == (bars, title)
    asked = f"accepted_after={since}%3A00Z&accepted_before=2024-05-14T10%3A30%3A16Z".replace(":", "%3A")
    assert href(jobs["jobs"]) == f"/admin/workflows/job/?{asked}"
    assert href(money["charged"]).endswith(f"?kind__exact=CHARGE&{asked.replace('accepted', 'created')}")


def test_an_unknown_range_is_the_day(db):
    browser = signed_in()
    for query in ({}, {"range": "1y"}, {"range": HOSTILE}, {"range": ""}):
        assert shown(browser, **query)["range"].name == "24h"


def test_ids_that_were_made_minutes_before_their_job_do_not_hide_it(db, shop: Shop):
    late = job(shop, at=NOW - timedelta(hours=25))
    sql("UPDATE workflows_job SET accepted_at = %s WHERE id = %s", NOW.replace(minute=0) - timedelta(hours=23), late)
    early = job(shop, at=NOW.replace(minute=0) - timedelta(hours=24, minutes=5))
    sql("UPDATE workflows_job SET accepted_at = %s WHERE id = %s", NOW.replace(minute=0) - timedelta(hours=24), early)
    assert text(shown(signed_in())["jobs"]["jobs"]) == "1"


def test_money_is_told_as_the_ledger_has_it_and_the_dearest_clients_first(db, shop: Shop):
    other, at = Shop.make(name="Other"), NOW - timedelta(minutes=5)
    for who, kind, amount in ((shop, "CHARGE", -1200), (shop, "REFUND", 3), (other, "CHARGE", -7)):
        entry(who, at=at, kind=kind, amount=amount)
    entry(other, at=at, kind="GRANT", amount=50, reason="goodwill")
    money = shown(signed_in())["money"]
    assert text([money["charged"], money["refunded"]]) == ["1,207", "3"]
    assert text(money["clients"]["rows"]) == [["Shop", "1,200", "3"], ["Other", "7", "0"]]
    assert f"client__id__exact={other.client.pk}" in href(money["clients"]["rows"][1][1])


def test_only_the_dearest_clients_and_the_models_that_fail_most_are_told(db, shop: Shop):
    for number in range(12):
        entry(Shop.make(name=f"Shop {number}"), at=NOW, kind="CHARGE", amount=-100 - number)
        job(shop, status="FAILURE" if number > 5 else "SUCCESS", spec={"image_model": f"model-{number}"})
    figures = shown(signed_in())
    assert [row[0] for row in text(figures["money"]["clients"]["rows"])] == [f"Shop {n}" for n in range(11, 1, -1)]
    assert text(figures["money"]["charged"]) == "1,266"
    models = [row[0] for row in text(figures["jobs"]["models"]["rows"])]
    assert len(models) == 10
    assert set(models) >= {f"model-{number}" for number in range(6, 12)}


def test_the_queue_is_told_as_it_is_now(db, shop: Shop):
    for age in ("-90 seconds", "-30 seconds", "1 hour"):
        move(order(shop), run_after=age)
    jobs = shown(signed_in())["jobs"]
    assert text(jobs["oldest"]).startswith("1 min 3")
    assert text(jobs["open"]) == ["3 NOT_STARTED", "0 IN_PROGRESS"]
    assert href(jobs["open"][0]) == "/admin/workflows/job/?status__exact=NOT_STARTED"
    assert text(jobs["jobs"]) == "0"


def test_clients_whose_credits_run_out_are_told_and_found(db, shop: Shop):
    for name, balance, threshold, suspended in (
        *(("low", 5, 6, None), ("enough", 6, 6, None), ("none", 0, None, None), ("both", 0, 10, None)),
        ("suspended", 0, 10, NOW),
    ):
        client = Shop.make(name=name, credits=balance).client
        Client.objects.filter(pk=client.pk).update(low_credits_threshold=threshold, suspended_at=suspended)
    browser = signed_in()
    balances = shown(browser)["balances"]
    assert text(balances["clients"]["rows"]) == [["both", "0", "10"], ["low", "5", "6"], ["none", "0", "–"]]
    for name, found in (("low", {"both", "low"}), ("empty", {"both", "none"})):
        listed = browser.get(href(balances[name])).context["cl"].result_list
        assert {client.name for client in listed} == found
        assert text(balances[name]) == str(len(found))


def test_endpoints_to_which_nothing_gets_through_are_told(db, shop: Shop):
    endpoint(shop)
    failing = endpoint(shop, failing_since=NOW)
    endpoint(shop, failing_since=NOW, disabled_at=NOW, disabled_reason="It failed for days.")
    gone = {"disabled_at": NOW, "disabled_reason": "Deleted.", "deleted_at": NOW}
    endpoint(shop, failing_since=NOW, **gone)
    endpoints = shown(signed_in())["endpoints"]
    assert text([endpoints["failing"], endpoints["disabled"]]) == ["1", "1"]
    assert text(endpoints["endpoints"]["rows"]) == [
        ["https://shop.example/hook of Shop", "failing since 2024-05-14 10:30"],
        ["https://shop.example/hook of Shop", "disabled: It failed for days."],
    ]
    assert failing.pk in href(endpoints["endpoints"]["rows"][0][0])
    assert href(endpoints["failing"]) == "/admin/workflows/webhookendpoint/?state=failing"


def test_the_last_reconcile_is_told(db):
    Reconciliation.objects.create(checked={"jobs": 2}, found=0, fixed=0)
    browser = signed_in()
    assert text(shown(browser)["reconciliation"]["badge"]).strip() == "clean"
    violation = {"promise": "P1", "client_id": 7, "detail": HOSTILE, "fixed": True}
    last = Reconciliation.objects.create(checked={"jobs": 2}, found=1500, fixed=1, violations=[violation])
    told = shown(browser)["reconciliation"]
    assert text([told["found"], told["fixed"], told["left"]]) == ["1,500", "1", "1,499"]
    page = browser.get(href(told["run"])).content.decode()
    assert href(told["run"]) == f"/admin/workflows/reconciliation/{last.pk}/change/"
    for words in ("2 jobs", "and 1,499 more", '<a href="/admin/billing/client/7/change/"', "&lt;script&gt;"):
        assert words in page
    assert "<script>alert(1)" not in page
    assert len(browser.get(href(told["all"])).context["cl"].result_list) == 2


def test_nobody_changes_what_a_reconcile_found(db):
    run, browser = Reconciliation.objects.create(checked={}, found=1, fixed=0), signed_in()
    for path in ("add/", f"{run.pk}/change/", f"{run.pk}/delete/"):
        assert browser.post(f"/admin/workflows/reconciliation/{path}", {"found": 0, "post": "yes"}).status_code == 403
    run.refresh_from_db()
    assert run.found == 1


def test_what_clients_call_themselves_and_their_models_is_text(db):
    shop = Shop.make(name=HOSTILE)
    Client.objects.filter(pk=shop.client.pk).update(low_credits_threshold=1000)
    endpoint(shop, failing_since=NOW)
    for model in (HOSTILE, "", "x" * 101, "y" * 100_000):
        job(shop, status="FAILURE", spec={"image_model": model})
    entry(shop, at=NOW, kind="CHARGE", amount=-5)
    browser = signed_in()
    html = browser.get("/admin/").content.decode()
    for markup in ("<script>alert(1)", "<img src=x", "y" * 101):
        assert markup not in html
    figures = shown(browser)
    rows = figures["jobs"]["models"]["rows"]
    assert text([row[0] for row in rows]) == ['""', HOSTILE, f'"{"x" * 100}…"', f'"{"y" * 100}…"']
    # What is cut leads nowhere, rather than to other jobs.
    assert ["href" in str(row[2]) for row in rows] == [False, True, False, False]
    assert text(figures["money"]["clients"]["rows"][0][0]) == HOSTILE
    assert text(figures["balances"]["clients"]["rows"][0][0]) == HOSTILE


@pytest.mark.parametrize("span", ["24h", "30d"])
def test_the_page_costs_the_same_for_two_clients_and_for_many(db, span: str):
    browser, costs = signed_in(), []
    for count in (2, 58):
        for number in range(count):
            shop = Shop.make(name=f"Shop {number}", credits=1)
            Client.objects.filter(pk=shop.client.pk).update(low_credits_threshold=5)
            job(shop, status="FAILURE", spec={"image_model": f"model-{number}"})
            entry(shop, at=NOW, kind="CHARGE", amount=-5)
            endpoint(shop, failing_since=NOW)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            browser.get("/admin/", {"range": span})
        costs.append(len(queries))
    assert costs[0] == costs[1] <= QUERIES


def test_what_reads_jobs_or_entries_reads_no_more_than_its_range(db):
    browser = signed_in()
    with CaptureQueriesContext(connection) as queries:
        browser.get("/admin/")
    large = [q["sql"] for q in queries if re.search(r"FROM (workflows_job|billing_ledgerentry)\b", q["sql"])]
    assert len(large) == 4
    sql("SET LOCAL enable_seqscan = off")  # the tables are empty here, and would be read whole
    for statement in large:
        plan = "\n".join(row[0] for row in sql(f"EXPLAIN {statement}"))
        assert "Seq Scan on workflows_job" not in plan
        assert "Seq Scan on billing_ledgerentry" not in plan


@pytest.mark.parametrize(("span", "told", "as_of"), [("24h", "2", "10:30:36"), ("30d", "1", "10:30:16")])
def test_long_ranges_are_read_once_a_minute_and_all_say_when(
    db, shop: Shop, at_half_past_ten, span: str, told: str, as_of: str
):
    browser = signed_in()
    job(shop, at=NOW)
    assert text(shown(browser, range=span)["jobs"]["jobs"]) == "1"
    job(shop, at=NOW + timedelta(seconds=10))
    at_half_past_ten(NOW + timedelta(seconds=20))
    assert text(shown(browser, range=span)["jobs"]["jobs"]) == told
    assert f"as of {as_of} UTC" in browser.get("/admin/", {"range": span}).content.decode()


@pytest.mark.parametrize(
    ("rights", "sections"),
    [
        (["workflows.view_job"], {"jobs"}),
        (["billing.view_ledgerentry"], {"money"}),
        (["billing.view_client"], {"balances"}),
        (["workflows.view_webhookendpoint"], {"endpoints"}),
        (["workflows.view_reconciliation"], {"reconciliation"}),
    ],
)
def test_everybody_sees_what_they_have_a_right_to(
    db, shop: Shop, client, django_user_model, rights: list[str], sections: set[str]
):
    Client.objects.filter(pk=shop.client.pk).update(low_credits_threshold=1000)
    job(shop)
    entry(shop, at=NOW, kind="CHARGE", amount=-5)
    endpoint(shop, failing_since=NOW)
    looker = django_user_model.objects.create_user("bob", is_staff=True)
    for right in rights:
        app, codename = right.split(".")
        looker.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client.force_login(looker)
    figures = client.get("/admin/").context["figures"]
    assert {name for name in SECTIONS if figures[name]} == sections
    # The links go where their reader may.
    for path in set(re.findall(r'href="(/admin/[a-z]+/[a-z]+/)', str(figures))):
        assert client.get(path).status_code == 200


def test_who_has_no_right_sees_a_page_without_figures(db, shop: Shop, client, django_user_model):
    client.force_login(django_user_model.objects.create_user("bob", is_staff=True))
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/admin/")
    assert "figures" not in answer.context
    assert "You don’t have permission to view or edit anything." in answer.content.decode()
    assert not any("workflows_job" in query["sql"] for query in queries)


def test_looking_changes_nothing(db, shop: Shop):
    job(shop)
    browser = signed_in()
    browser.get("/admin/")  # the session is as it will be
    with CaptureQueriesContext(connection) as queries:
        for span in ("1h", "24h", "7d", "30d"):
            browser.get("/admin/", {"range": span})
    assert not [q["sql"] for q in queries if q["sql"].lstrip().startswith(("INSERT", "UPDATE", "DELETE"))]
