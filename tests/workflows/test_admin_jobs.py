"""Jobs in the staff console."""

from django.contrib.auth.models import Permission
from django.core.checks import run_checks

from tests.conftest import Shop
from tests.console import HOSTILE, fail, order, signed_in, succeed
from workflows.models import Job, JobEvent, Output, Workflow


def page(job: Job) -> str:
    return f"/admin/workflows/job/{job.pk}/"


def test_nobody_changes_a_job_its_events_or_its_outputs(db, shop: Shop):
    job, browser = succeed(order(shop.client)), signed_in()
    sent = {"post": "yes", "status": "FAILURE", "outputs-TOTAL_FORMS": 0, "outputs-INITIAL_FORMS": 0}
    for path in ("/admin/workflows/job/add/", f"{page(job)}change/", f"{page(job)}delete/"):
        assert browser.post(path, sent).status_code == 403
    for path in ("output", "jobevent"):
        assert browser.get(f"/admin/workflows/{path}/").status_code == 404
    job.refresh_from_db()
    assert job.status == "SUCCESS"
    assert (Output.objects.count(), JobEvent.objects.count()) == (1, 2)


def test_what_clients_send_is_shown_as_text(db, shop: Shop):
    spec = {
        "scene_type": HOSTILE,
        "mood": "",
        "display_name": HOSTILE,
        "dominant_colors": [HOSTILE, ""],
        "metadata": {HOSTILE: [{HOSTILE: {"a": {"b": {"c": {"d": [HOSTILE]}}}}}, None, True, 1.5, [], {}]},
    }
    browser = signed_in()
    succeeded, failed = succeed(order(shop.client, spec=spec)), fail(order(shop.client, spec=spec), message=HOSTILE)
    for path in (f"{page(succeeded)}change/", f"{page(failed)}change/", "/admin/workflows/job/"):
        html = browser.get(path).content.decode()
        assert "<script>alert(1)" not in html
        assert "<img src=x" not in html
        assert "onerror=alert(2)>" not in html
    deep: dict = {}
    for _ in range(190):
        deep = {"a": deep}
    job = order(shop.client, spec={"metadata": deep})
    assert browser.get(f"{page(job)}change/").status_code == 200


def test_a_job_is_found_by_its_id_and_its_request(db, shop: Shop):
    job = order(shop.client)
    order(Shop.make(name="Other").client)
    browser = signed_in()
    for term in (job.pk, f" {job.request_id.lower()} "):
        assert [found.pk for found in browser.get("/admin/workflows/job/", {"q": term}).context["cl"].result_list] == [
            job.pk
        ]
    assert not browser.get("/admin/workflows/job/", {"q": job.charge_id}).context["cl"].result_list


def test_the_list_costs_the_same_for_one_job_and_for_many(db, shop: Shop, django_assert_max_num_queries):
    browser = signed_in()
    for number in range(60):
        order(Shop.make(name=f"Shop {number}").client)
    with django_assert_max_num_queries(6) as queries:
        answer = browser.get("/admin/workflows/job/", {"status__exact": "NOT_STARTED"})
    assert len(answer.context["cl"].result_list) == 50
    counts = [q["sql"] for q in queries.captured_queries if "COUNT(" in q["sql"]]
    assert counts
    assert all("LIMIT 2000" in sql for sql in counts)


def test_a_workflow_is_switched_off_and_none_is_added_or_deleted(db):
    browser, path = signed_in(), "/admin/workflows/workflow/extract/change/"
    sent = {"name": "renamed", "summary": "s", "time_limit": "00:01:00", "max_attempts": "2", "deadline": "00:10:00",
            "output_format": "webp"}  # fmt: skip
    assert browser.post(path, sent).status_code == 302
    extract = Workflow.objects.get(name="extract")
    assert (extract.enabled, extract.output_format) == (False, "webp")
    assert browser.post(path, {**sent, "output_format": "gif"}).status_code == 200
    assert browser.post(path, {**sent, "time_limit": "01:00:00"}).status_code == 200
    assert browser.post("/admin/workflows/workflow/add/", sent).status_code == 403
    assert browser.post("/admin/workflows/workflow/extract/delete/", {"post": "yes"}).status_code == 403
    assert Workflow.objects.count() == 2


def test_nobody_else_gets_in(db, shop: Shop, client, django_user_model):
    """Staff without a permission may not use it; who is no staff sees the sign-in alone."""
    job = succeed(order(shop.client))
    refund, grant = f"{page(job)}refund/", f"/admin/billing/client/{shop.client.pk}/grant/"
    for path in (f"{page(job)}change/", refund, grant):
        assert client.get(path).status_code == 302
    client.force_login(django_user_model.objects.create_user("bob", is_staff=True))
    for path in (f"{page(job)}change/", refund, grant, "/admin/workflows/job/"):
        assert client.get(path).status_code == 403
        assert client.post(path, {"_form_submitted": "on", "reason": "x", "credits": 5}).status_code == 403
    assert shop.balance == 97


def test_the_system_checks_need_no_database(db, django_assert_num_queries):
    """They run before the first migration; unfold's look permissions up there that actions name with a dot."""
    with django_assert_num_queries(0):
        assert run_checks() == []


def test_who_may_only_look_is_offered_no_action_and_may_take_none(db, shop: Shop, client, django_user_model):
    job, key = succeed(order(shop.client)), shop.client.api_keys.get()
    looker = django_user_model.objects.create_user("bob", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(looker)
    for row, actions in (
        (f"/admin/workflows/job/{job.pk}/", ["refund"]),
        (f"/admin/billing/client/{shop.client.pk}/", ["grant", "make_key", "suspend", "lift_suspension"]),
        (f"/admin/billing/apikey/{key.pk}/", ["revoke"]),
    ):
        html = client.get(f"{row}change/").content.decode()
        for action in actions:
            assert f"{row}{action}/" not in html
            assert client.get(f"{row}{action}/").status_code == 403
            sent = {"_form_submitted": "on", "reason": "x", "credits": "5", "reference": "r"}
            assert client.post(f"{row}{action}/", sent).status_code == 403
    assert shop.balance == 97
    assert shop.client.suspended_at is None
    assert [key.revoked_at for key in shop.client.api_keys.all()] == [None]


def test_django_q2s_own_pages_are_not_there(db):
    browser = signed_in()
    assert "django_q" not in browser.get("/admin/").content.decode()
    for name in ("failure", "success", "schedule", "ormq"):
        assert browser.get(f"/admin/django_q/{name}/").status_code == 404


def test_a_job_whose_engine_gave_way_to_the_built_in_one_says_so(db, shop: Shop):
    spec = {"image_model": HOSTILE, "on_technical_failure": "fallback"}
    job, browser = order(shop.client, spec=spec), signed_in()
    assert "instead of" not in browser.get(f"{page(job)}change/").content.decode()
    fail(job, technical=True)
    Job.objects.update(run_after=job.accepted_at)
    succeed(job)
    shown = browser.get(f"{page(job)}change/").content.decode()
    assert "built-in, instead of" in shown
    assert HOSTILE not in shown
