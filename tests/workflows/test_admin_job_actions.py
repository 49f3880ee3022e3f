"""What staff do to a job from its page: refund it, run it again, cancel it."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from billing import allowances
from billing.models import LedgerEntry
from tests.conftest import Shop
from tests.console import fail, messages, order, signed_in, submit_dialog, succeed
from tests.helpers import books_are_right, claimed, row
from tests.http_client import HttpClient
from workflows import jobs
from workflows.models import Job


def page(job: Job) -> str:
    return f"/admin/workflows/job/{job.pk}/"


def somebody(*rights: str) -> HttpClient:
    """A browser with a member of the staff at it who may look at all, and else what `rights` say."""
    looks = Permission.objects.filter(codename__startswith="view_")
    grace = get_user_model().objects.create_user("grace", is_staff=True)
    grace.user_permissions.set([*looks, *Permission.objects.filter(codename__in=rights)])
    browser = HttpClient()
    browser.force_login(grace)
    return browser


def offered(browser: HttpClient, job: Job) -> set[str]:
    html = browser.get(f"{page(job)}change/").content.decode()
    return {action for action in ("refund", "run_again", "cancel") if f'hx-get="{page(job)}{action}/"' in html}


def not_offered(browser: HttpClient, job: Job) -> dict[str, str]:
    return dict(browser.get(f"{page(job)}change/").context["not_offered"])


def dialog(browser: HttpClient, job: Job, action: str) -> str:
    return " ".join(browser.get(f"{page(job)}{action}/").content.decode().split())


def test_a_refund_gives_the_credits_back_and_says_who_and_why(db, shop: Shop):
    job, browser = succeed(order(shop.client)), signed_in()
    dialog = " ".join(browser.get(f"{page(job)}refund/").content.decode().split())
    assert "3 credits go back to Shop: its balance of 97 becomes 100." in dialog
    assert shop.balance == 97
    answer = submit_dialog(browser, f"{page(job)}refund/", reason="wrong colours")
    assert answer.headers["HX-Redirect"] == f"{page(job)}change/"
    job.refresh_from_db()
    assert (job.refund.amount, job.refund.reason, job.refund.actor) == (3, "wrong colours", "ada")
    assert shop.balance == 100
    assert messages(browser) == ["Refunded 3 credits; the balance is 100."]
    audit = LogEntry.objects.get()
    assert (audit.object_id, audit.change_message) == (job.pk, "Refunded 3 credits: wrong colours")


def test_a_refund_without_a_reason_moves_nothing(db, shop: Shop):
    job, browser = succeed(order(shop.client)), signed_in()
    for reason in ("", "  ", "x" * 501):
        assert submit_dialog(browser, f"{page(job)}refund/", reason=reason).context["form"].errors["reason"]
    assert browser.get(f"{page(job)}refund/?reason=x&_form_submitted=True").status_code == 200
    assert browser.post(f"{page(job)}refund/").status_code == 200
    assert shop.balance == 97


def test_a_second_refund_is_not_offered_and_refused_if_sent_all_the_same(db, shop: Shop):
    job, browser = succeed(order(shop.client)), signed_in()
    assert f"{page(job)}refund/" in browser.get(f"{page(job)}change/").content.decode()
    submit_dialog(browser, f"{page(job)}refund/", reason="wrong colours")
    assert f"{page(job)}refund/" not in browser.get(f"{page(job)}change/").content.decode()
    submit_dialog(browser, f"{page(job)}refund/", reason="again")
    assert messages(browser) == [f"Job {job.pk} cannot be refunded: it was refunded already."]
    assert shop.balance == 100
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("end", [lambda job: job, fail])
def test_a_refund_of_what_did_not_succeed_is_not_offered_and_refused(db, shop: Shop, end):
    job, browser = end(order(shop.client)), signed_in()
    before = shop.balance
    assert f"{page(job)}refund/" not in browser.get(f"{page(job)}change/").content.decode()
    assert "There is nothing to refund: it " in browser.get(f"{page(job)}refund/").content.decode()
    submit_dialog(browser, f"{page(job)}refund/", reason="x")
    assert "cannot be refunded" in messages(browser)[0]
    assert shop.balance == before


def test_a_tickets_number_is_kept_at_the_end_of_the_reason(db, shop: Shop):
    job, browser = succeed(order(shop.client)), signed_in()
    answer = submit_dialog(browser, f"{page(job)}refund/", reason="x" * 495, ticket="4711")
    assert answer.context["form"].errors["reason"] == ["With the ticket's number it has more than 500 characters."]
    submit_dialog(browser, f"{page(job)}refund/", reason="wrong colours", ticket="4711")
    entry = LedgerEntry.objects.get(kind="REFUND")
    assert (entry.reason, entry.actor) == ("wrong colours (ticket 4711)", "ada")
    assert LogEntry.objects.get().change_message == "Refunded 3 credits: wrong colours (ticket 4711)"


def test_who_may_refund_up_to_a_limit_is_told_what_is_left_and_stopped_beyond_it(db, shop: Shop, settings):
    settings.SUPPORT_REFUND_CREDITS, settings.SUPPORT_REFUND_CREDITS_A_DAY = 3, 5
    first, second = succeed(order(shop.client)), succeed(order(shop.client))
    dear = succeed(order(shop.client, cost=4))
    browser = somebody("refund_job")
    said = "You may refund 3 credits at once and 5 a day; {} are left today (UTC)."
    assert said.format(5) in dialog(browser, first, "refund")
    submit_dialog(browser, f"{page(first)}refund/", reason="x")
    assert said.format(2) in dialog(browser, second, "refund")
    messages(browser)
    submit_dialog(browser, f"{page(second)}refund/", reason="x")
    submit_dialog(browser, f"{page(dear)}refund/", reason="x")
    spent = "Of the 5 credits that you may refund a day 2 are left, and this takes 3; ask Finance."
    too_large = "A refund of 4 credits is more than the 3 that you may give back at once; ask Finance."
    assert messages(browser) == [spent, too_large]
    for job, why in ((second, spent), (dear, too_large)):
        assert "refund" not in offered(browser, job)
        assert not_offered(browser, job)["Refund"] == why[0].lower() + why[1:-1]
        assert f"There is nothing to refund: {why[0].lower()}{why[1:]}" in dialog(browser, job, "refund")
    assert allowances.spent_today(actor="grace") == 3
    assert LogEntry.objects.count() == 1
    books_are_right(shop.client)


def test_who_may_refund_without_limit_is_told_of_none(db, shop: Shop, settings):
    settings.SUPPORT_REFUND_CREDITS = 1
    job, browser = succeed(order(shop.client)), somebody("refund_job_without_limit")
    assert "You may refund" not in dialog(browser, job, "refund")
    submit_dialog(browser, f"{page(job)}refund/", reason="x")
    assert shop.balance == 100


def test_a_job_is_run_again_for_nothing_and_the_new_one_is_shown(db, shop: Shop):
    job, browser = fail(order(shop.client, spec={"mood": "calm"})), signed_in()
    assert "at no charge to Shop" in dialog(browser, job, "run_again")
    answer = submit_dialog(browser, f"{page(job)}run_again/")
    new = Job.objects.get(rerun_of=job)
    assert answer.headers["HX-Redirect"] == f"{page(new)}change/"
    assert (new.spec, new.credits_cost, new.charge.actor) == ({"mood": "calm"}, 0, "ada")
    assert messages(browser) == ["This is the new job, at no charge."]
    audit = LogEntry.objects.get()
    assert (audit.object_id, audit.change_message) == (job.pk, f"Ran it again, as job {new.pk}")

    assert f"It cannot be run again: it is being run again, as job {new.pk}." in dialog(browser, job, "run_again")
    assert submit_dialog(browser, f"{page(job)}run_again/").headers["HX-Redirect"] == f"{page(job)}change/"
    assert messages(browser) == [f"Job {job.pk} cannot be run again: it is being run again, as job {new.pk}."]
    assert (Job.objects.count(), LogEntry.objects.count()) == (2, 1)
    books_are_right(shop.client)


def test_a_waiting_job_is_cancelled_at_once(db, shop: Shop):
    job, browser = order(shop.client), signed_in()
    assert "it ends at once, in FAILURE. Its 3 credits go back to Shop." in dialog(browser, job, "cancel")
    submit_dialog(browser, f"{page(job)}cancel/")
    job.refresh_from_db()
    assert (job.status, job.error_code, job.refund.actor) == ("FAILURE", "cancelled", "ada")
    assert messages(browser) == ["The job is cancelled."]
    assert LogEntry.objects.get().change_message == "Cancelled"
    assert "There is nothing to cancel: it has ended." in dialog(browser, job, "cancel")
    submit_dialog(browser, f"{page(job)}cancel/")
    assert "has ended in FAILURE already" in messages(browser)[0]
    assert LogEntry.objects.count() == 1
    books_are_right(shop.client)


def test_a_running_job_is_cancelled_when_its_engine_reaches_its_next_step(db, shop: Shop):
    job, browser = order(shop.client), signed_in()
    attempt = claimed(job)
    assert "as soon as its engine reaches its next step" in dialog(browser, job, "cancel")
    submit_dialog(browser, f"{page(job)}cancel/")
    assert messages(browser) == ["The job ends as soon as its engine reaches its next step."]
    assert LogEntry.objects.get().change_message == "Cancelled while it ran"
    assert row(job)["status"] == "IN_PROGRESS"
    assert not_offered(browser, job)["Cancel"] == "it was cancelled, and ends as soon as its engine stops"
    assert jobs.give_up(attempt)
    assert row(job)["status"] == "FAILURE"


@pytest.mark.parametrize(
    ("rights", "waiting", "succeeded", "failed"),
    [
        (["refund_job", "run_again_job"], set(), {"refund", "run_again"}, {"run_again"}),
        (["refund_job", "refund_job_without_limit"], set(), {"refund"}, set()),
        (["cancel_job", "run_again_job"], {"cancel"}, {"run_again"}, {"run_again"}),
        ([], set(), set(), set()),
    ],
)
def test_each_is_offered_what_they_may_and_told_what_they_may_not(
    db, shop: Shop, rights: list[str], waiting: set[str], succeeded: set[str], failed: set[str]
):
    by_state = [order(shop.client), succeed(order(shop.client)), fail(order(shop.client))]
    browser = somebody(*rights)
    assert [offered(browser, job) for job in by_state] == [waiting, succeeded, failed]
    names = {"refund": "Refund", "run_again": "Run again", "cancel": "Cancel"}
    held = {"refund_job": "refund", "run_again_job": "run_again", "cancel_job": "cancel"}
    for job in by_state:
        whys = not_offered(browser, job)
        assert set(whys) == {names[action] for action in names.keys() - offered(browser, job)}
        for right, action in held.items():
            if right not in rights:
                assert whys[names[action]] == "your role may not"
                assert browser.get(f"{page(job)}{action}/").status_code == 403
                sent = {"_form_submitted": "on", "reason": "x"}
                assert browser.post(f"{page(job)}{action}/", sent).status_code == 403
    assert LogEntry.objects.count() == 0


def test_to_open_a_dialog_changes_nothing(db, shop: Shop):
    browser, sent = signed_in(), {"_form_submitted": "on", "reason": "x"}
    for job, actions in ((order(shop.client), ["cancel"]), (succeed(order(shop.client)), ["refund", "run_again"])):
        before = row(job)
        for action in actions:
            assert browser.get(f"{page(job)}{action}/").status_code == 200
            assert browser.get(f"{page(job)}{action}/", sent).status_code == 200
        assert row(job) == before
    assert (Job.objects.count(), LogEntry.objects.count()) == (2, 0)


@pytest.mark.parametrize("action", ["refund", "run_again", "cancel"])
def test_there_is_nothing_to_do_to_a_job_that_is_not_there(db, action: str):
    assert signed_in().get(f"/admin/workflows/job/{'0' * 26}/{action}/").status_code == 404
