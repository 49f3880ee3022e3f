"""Refunding many jobs at once in the staff console, and running many again."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from billing.models import LedgerEntry
from studio_gateway.ids import new_ulid
from tests.conftest import Shop
from tests.console import HOSTILE, fail, messages, order, signed_in, succeed
from tests.helpers import books_are_right, flood, sql, together
from tests.http_client import HttpClient as Browser
from workflows import jobs
from workflows.admin.bulk import MOST
from workflows.models import Job

PATH = "/admin/workflows/job/"
REFUND, AGAIN = "refund_selected", "run_selected_again"


def ask(browser: Any, action: str, *chosen: Job, query: str = "", **more: str) -> Any:
    sent = {"action": action, "index": "0", "_selected_action": [job.pk for job in chosen], **more}
    return browser.post(f"{PATH}{query}", sent)


def confirm(browser: Any, asked: Any, **fields: str) -> Any:
    """Send the page's form as a browser does."""
    html = asked.content.decode()
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html)
    chosen = [value for name, value in hidden if name == "_selected_action"]
    sent = {name: value for name, value in hidden if name != "csrfmiddlewaretoken"} | {"_selected_action": chosen}
    return browser.post(re.search(r'<form method="post" action="([^"]*)"', html)[1], {**sent, **fields})


def text(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def staff(django_user_model: Any, name: str, *rights: str) -> Browser:
    user, browser = django_user_model.objects.create_user(name, is_staff=True), Browser()
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_job", *rights]))
    browser.force_login(user)
    return browser


def test_jobs_are_refunded_one_by_one_and_what_cannot_be_is_named(db, shop: Shop):
    good, more = succeed(order(shop.client)), succeed(order(shop.client, cost=5))
    failed, still_open = fail(order(shop.client)), order(shop.client)
    browser = signed_in()
    asked = ask(browser, REFUND, good, more, failed, still_open)
    assert "2 of 4 jobs will be refunded: 8 credits go back to 1 client." in text(asked)
    assert f"2 will be skipped: 1: it is still open; it is refunded by itself if it fails ({still_open.pk})" in text(
        asked
    )
    assert f"1: it was refunded already ({failed.pk})" in text(asked)
    assert not LogEntry.objects.exists()
    assert shop.balance == 89
    answer = confirm(browser, asked, reason="wrong colours")
    assert answer.headers["Location"] == PATH
    said, skipped = messages(browser)
    assert said == "2 jobs were refunded: 8 credits in all."
    assert skipped.startswith("Skipped 2.")
    assert f"1: it was refunded already ({failed.pk})." in skipped
    assert shop.balance == 97
    books_are_right(shop.client)
    for job in (good, more):
        job.refresh_from_db()
        assert (job.refund.reason, job.refund.actor) == ("wrong colours", "ada")
    logged = dict(LogEntry.objects.values_list("object_id", "change_message"))
    assert logged == {good.pk: "Refunded 3 credits: wrong colours", more.pk: "Refunded 5 credits: wrong colours"}


def test_what_is_sent_twice_is_refunded_once(db, shop: Shop):
    job, browser = succeed(order(shop.client)), signed_in()
    asked = ask(browser, REFUND, job)
    for _ in range(2):
        confirm(browser, asked, reason="x")
    assert messages(browser) == [
        "1 job was refunded: 3 credits in all.",
        f"Skipped 1. 1: it was refunded already ({job.pk}).",
    ]
    assert (shop.balance, LogEntry.objects.count()) == (100, 1)


def test_two_who_press_at_once_refund_each_job_once(own_database: str):
    shop = Shop.make()
    made, browser = [succeed(order(shop.client)) for _ in range(5)], signed_in()
    asked = ask(browser, REFUND, *made)
    together(*(lambda: confirm(browser, asked, reason="x") for _ in range(3)))
    assert shop.balance == 100
    assert LedgerEntry.objects.filter(kind="REFUND").count() == 5
    assert LogEntry.objects.count() == 5
    books_are_right(shop.client)


def test_nothing_moves_without_a_reason_or_by_a_get(db, shop: Shop):
    job, browser = succeed(order(shop.client)), signed_in()
    asked = ask(browser, REFUND, job)
    for reason in ("", "  ", "x" * 501, "a\x00b"):
        again = confirm(browser, asked, reason=reason)
        assert again.status_code == 200
        assert again.context["form"].errors["reason"]
    sent = {"action": REFUND, "_selected_action": job.pk, "confirmed": "yes", "reason": "x"}
    browser.get(PATH, sent)
    assert shop.balance == 97
    assert not LogEntry.objects.exists()


def test_what_is_no_job_is_left_out_or_named(db, shop: Shop):
    job, browser, none = succeed(order(shop.client)), signed_in(), new_ulid()
    sent = {"action": REFUND, "_selected_action": ["x", none, job.pk], "confirmed": "yes", "reason": "x"}
    assert browser.post(PATH, sent).status_code == 302
    assert messages(browser) == [
        "1 job was refunded: 3 credits in all.",
        f"Skipped 1. 1: There is no job {none}. ({none}).",
    ]
    assert shop.balance == 100


def test_what_a_filter_no_longer_selects_is_done_and_told_all_the_same(db, shop: Shop):
    """The jobs are those that somebody was asked about, whatever has become of them."""
    job, gone = order(shop.client), succeed(order(shop.client))
    browser = signed_in()
    asked = ask(browser, REFUND, job, gone, query="?status__exact=NOT_STARTED")
    assert "0 of 1 job will be refunded" in text(asked)
    assert 'name="reason"' not in asked.content.decode()
    succeed(job)
    answer = confirm(browser, asked, reason="x")
    assert answer.headers["Location"] == f"{PATH}?status__exact=NOT_STARTED"
    assert messages(browser) == ["1 job was refunded: 3 credits in all."]
    gone.refresh_from_db()
    assert gone.refund_id is None


def test_no_more_than_so_many_are_taken_at_once_whatever_is_selected(db):
    shop = flood(MOST + 1)
    browser = signed_in()
    ended = "status = 'SUCCESS', attempt = 1, ended_at = now()"
    sql(f"UPDATE workflows_job SET {ended}")
    few = Job.objects.order_by("-pk")[:2]
    answer = ask(browser, REFUND, *few, select_across="1")
    assert answer.status_code == 302
    assert messages(browser) == [f"At most {MOST} jobs are taken at once, and nothing was done. Select fewer."]
    ids = list(Job.objects.values_list("pk", flat=True))
    browser.post(PATH, {"action": REFUND, "_selected_action": ids, "confirmed": "yes", "reason": "x"})
    assert messages(browser)[0].startswith("At most")
    assert shop.balance == 0
    # All of a list that is short enough are taken, across its pages.
    client = Shop.make(name="Other").client
    for _ in range(3):
        succeed(order(client))
    asked = ask(browser, REFUND, *few[:1], select_across="1", query=f"?client__id__exact={client.pk}")
    assert "3 of 3 jobs will be refunded" in text(asked)


def test_support_refunds_within_its_allowance_and_is_told_what_was_beyond(db, shop: Shop, django_user_model, settings):
    settings.SUPPORT_REFUND_CREDITS, settings.SUPPORT_REFUND_CREDITS_A_DAY = 5, 7
    made = [succeed(order(shop.client, cost=cost)) for cost in (3, 3, 3, 6)]
    browser = staff(django_user_model, "bob", "refund_job")
    asked = ask(browser, REFUND, *made)
    assert "2 of 4 jobs will be refunded: 6 credits" in text(asked)
    assert "you may refund 5 credits at most of one job" in text(asked)
    assert "you may refund 7 credits at most in a day" in text(asked)
    confirm(browser, asked, reason="x")
    assert shop.balance == 91
    (refunded, skipped) = [str(m) for m in browser.get(PATH).context["messages"]]
    assert refunded == "2 jobs were refunded: 6 credits in all."
    assert skipped.startswith("Skipped 2.")
    confirm(staff(django_user_model, "eve", "refund_job_without_limit"), asked, reason="x")
    assert shop.balance == 100


def test_jobs_are_run_again_at_no_charge_and_not_while_they_are(db, shop: Shop):
    failed, good, still_open = fail(order(shop.client)), succeed(order(shop.client)), order(shop.client)
    running = fail(order(shop.client))
    rerun = jobs.run_again(job_id=running.pk, actor="bob")
    before, browser = shop.balance, signed_in()
    asked = ask(browser, AGAIN, failed, good, still_open, running)
    assert "2 of 4 jobs will be run again, at no charge." in text(asked)
    assert f"1: it is being run again ({running.pk})" in text(asked)
    for _ in range(2):
        confirm(browser, asked)
    made = {job.rerun_of_id: job for job in Job.objects.exclude(rerun_of=None).exclude(pk=rerun.pk)}
    assert set(made) == {failed.pk, good.pk}
    assert {(job.status, job.credits_cost) for job in made.values()} == {("NOT_STARTED", 0)}
    told = messages(browser)
    assert told[0] == "2 jobs were run again, at no charge."
    assert told[2].startswith("Skipped 4.")
    assert "2: " not in told[1]
    assert shop.balance == before
    books_are_right(shop.client)
    logged = dict(LogEntry.objects.values_list("object_id", "change_message"))
    assert logged == {old: f"Run again as job {job.pk}" for old, job in made.items()}


def test_the_question_takes_as_many_statements_for_two_jobs_as_for_forty(db, shop: Shop, django_assert_max_num_queries):
    made = [succeed(order(shop.client, cost=1)) for _ in range(40)]
    browser = signed_in()
    for action in (REFUND, AGAIN):
        for chosen in (made[:2], made):
            with django_assert_max_num_queries(10):
                assert ask(browser, action, *chosen).status_code == 200


@pytest.mark.parametrize(("action", "right"), [(REFUND, "run_again_job"), (AGAIN, "refund_job")])
def test_who_may_not_is_not_offered_it_and_moves_nothing(db, shop: Shop, django_user_model, action: str, right: str):
    job = succeed(order(shop.client))
    for rights in ([], [right]):
        browser = staff(django_user_model, f"bob{len(rights)}", *rights)
        assert f'value="{action}"' not in browser.get(PATH).content.decode()
        ask(browser, action, job)
        browser.post(PATH, {"action": action, "_selected_action": job.pk, "confirmed": "yes", "reason": "x"})
    assert shop.balance == 97
    assert Job.objects.count() == 1
    assert not LogEntry.objects.exists()


def test_reasons_and_names_are_shown_as_text(db, shop: Shop):
    job, browser = succeed(order(shop.client, spec={"display_name": HOSTILE})), signed_in()
    asked = ask(browser, REFUND, job)
    again = confirm(browser, asked, reason=HOSTILE + "x" * 500)
    for html in (asked.content.decode(), again.content.decode()):
        assert "<script>alert(1)" not in html
        assert "<img src=x" not in html
