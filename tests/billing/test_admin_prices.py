"""Prices and workflows on offer in the staff console."""

import pytest
from django.contrib.admin.models import LogEntry

from billing.models import Price
from tests.console import HOSTILE, signed_in, signed_in_with
from workflows.models import Workflow


def test_a_price_is_set_for_any_model_and_any_size_once(db):
    browser = signed_in()
    sent = {"workflow": "extract", "model": "", "pixel_class": "2K", "credits": "9"}
    assert browser.post("/admin/billing/price/add/", sent).status_code == 302
    assert Price.objects.get(workflow="extract", pixel_class="2K").model is None
    assert browser.post("/admin/billing/price/add/", sent).status_code == 200
    assert browser.post("/admin/billing/price/add/", {**sent, "pixel_class": "1K", "credits": "-1"}).status_code == 200
    assert Price.objects.filter(workflow="extract", model=None).count() == 2


def test_prices_are_found_by_how_they_begin(db):
    browser = signed_in()
    Price.objects.create(workflow="extract", model="Flux-9", pixel_class="2K", credits=9)

    def found(term: str) -> set[str]:
        return {str(price) for price in browser.get("/admin/billing/price/", {"q": term}).context["cl"].result_list}

    assert found("flux") == {"extract Flux-9 2K: 9"}
    assert "extract Flux-9 2K: 9" in found("extr") & found("2k")
    assert found("lux") == found(HOSTILE) == set()


@pytest.mark.parametrize("model", [Price, Workflow])
def test_who_may_look_at_prices_and_workflows_changes_none(db, model: type):
    app, name = model._meta.app_label, model._meta.model_name
    browser, row = signed_in_with(f"{app}.view_{name}"), model.objects.earliest("pk")
    before = list(model.objects.values())
    page = f"/admin/{app}/{name}/{row.pk}/change/"
    assert browser.get(page).context["adminform"].form.fields == {}
    sent = {"workflow": "extract", "credits": 1, "enabled": "", "action": "delete_selected", "_selected_action": row.pk}
    for path in (page, page.replace("change", "delete"), page.replace(f"{row.pk}/change", "add")):
        assert browser.post(path, {**sent, "post": "yes"}).status_code == 403
    browser.post(f"/admin/{app}/{name}/", {**sent, "post": "yes"})
    assert list(model.objects.values()) == before


def test_a_change_of_a_price_is_written_down(db):
    browser = signed_in_with("billing.view_price", "billing.change_price")
    price = Price.objects.earliest("pk")
    sent = {"workflow": price.workflow, "model": price.model or "", "pixel_class": price.pixel_class or ""}
    page = f"/admin/billing/price/{price.pk}/"
    assert browser.post(f"{page}change/", {**sent, "credits": price.credits + 1}).status_code == 302
    assert Price.objects.get(pk=price.pk).credits == price.credits + 1
    assert "Credits" in LogEntry.objects.get().get_change_message()
    assert browser.post(f"{page}delete/", {"post": "yes"}).status_code == 403
