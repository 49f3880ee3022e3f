"""What an order costs: the narrowest price that fits, looked up on what the engine will do, in force at once."""

import itertools

import pytest

from billing import prices
from billing.errors import NoPrice
from billing.models import Configuration, LedgerEntry, Price
from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.gateway import Gateway
from tests.helpers import SPEC, post, refused_by, sql
from workflows.models import Job, Workflow


def price_of(model: str | None, pixel_class: str | None) -> int:
    return prices.price(workflow="w", model=model, pixel_class=pixel_class, version=Configuration.objects.get().version)


def cost(shop: Shop, **spec: object) -> int:
    answer = post(shop, "/v1/background-generator", {**SPEC, **spec})
    assert answer.status_code == 202, answer.content
    return answer.json()["credits_cost"]


SCOPES = {(None, None): 1, (None, "4K"): 2, ("m", None): 3, ("m", "4K"): 4}


@pytest.mark.parametrize("there", [s for n in range(1, 5) for s in itertools.combinations(SCOPES, n)])
def test_the_narrowest_price_wins_and_the_model_comes_before_the_class(db, there: tuple):
    for scope in there:
        Price.objects.create(workflow="w", model=scope[0], pixel_class=scope[1], credits=SCOPES[scope])
    for model, pixel_class in itertools.product((None, "m", "other"), (None, "4K", "512")):
        fitting = [SCOPES[s] for s in there if s[0] in (None, model) and s[1] in (None, pixel_class)]
        if fitting:
            assert price_of(model, pixel_class) == max(fitting)
        else:
            with pytest.raises(NoPrice):
                price_of(model, pixel_class)


@pytest.mark.parametrize("scope", [(None, None), ("m", None), (None, "4K"), ("m", "4K")])
def test_a_scope_has_one_price_also_where_it_is_null(db, scope: tuple):
    Price.objects.create(workflow="w", model=scope[0], pixel_class=scope[1], credits=1)
    with refused_by("price_one_per_scope"):
        sql("INSERT INTO billing_price (workflow, model, pixel_class, credits) VALUES ('w', %s, %s, 2)", *scope)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE billing_price SET credits = credits + 1",
        "INSERT INTO billing_price (workflow, credits) VALUES ('new', 1)",
        "DELETE FROM billing_price",
        "TRUNCATE billing_price",
        "UPDATE workflows_workflow SET enabled = false",
        "DELETE FROM workflows_workflow",
        "TRUNCATE workflows_workflow",
        "UPDATE workflows_imagemodel SET enabled = false",
        "INSERT INTO workflows_imagemodel (workflow, name, engine, vendor_id, enabled, ratios, resolutions, notes)"
        " VALUES ('w', 'new', 'gemini', 'x', true, '{}', '{}', '')",
        "DELETE FROM workflows_imagemodel",
        "TRUNCATE workflows_imagemodel",
    ],
)
def test_a_change_by_raw_sql_raises_the_version_once(db, change: str):
    before = Configuration.objects.get().version
    sql(change)
    assert Configuration.objects.get().version == before + 1


def test_a_change_through_the_orm_raises_the_version(db):
    versions = [Configuration.objects.get().version]
    row = Price.objects.create(workflow="w", credits=1)
    versions.append(Configuration.objects.get().version)
    row.credits = 2
    row.save()
    versions.append(Configuration.objects.get().version)
    row.delete()
    versions.append(Configuration.objects.get().version)
    assert versions == sorted(set(versions))


def test_a_changed_price_is_in_force_with_the_next_request(db, shop: Shop):
    assert cost(shop) == 2
    Price.objects.filter(workflow="background-generator", pixel_class=None).update(credits=5)
    assert cost(shop) == 5
    sql("UPDATE billing_price SET credits = 7 WHERE workflow = 'background-generator' AND pixel_class IS NULL")
    assert cost(shop) == 7
    Price.objects.create(workflow="background-generator", model="gemini", credits=11)
    assert cost(shop, image_model="gemini") == 11
    assert cost(shop) == 7
    assert shop.balance == 100 - 2 - 5 - 7 - 11 - 7
    charged = Job.objects.order_by("pk").values_list("credits_cost", "charge__amount")
    assert list(charged) == [(2, -2), (5, -5), (7, -7), (11, -11), (7, -7)]


def test_a_changed_price_is_in_force_in_a_running_web_process(gateway: Gateway, shop: Shop):
    def ordered() -> int:
        return gateway.call("POST", "/v1/background-generator", {**SPEC, "resolution": "512"}, key=shop.key).json[
            "credits_cost"
        ]

    small = Price.objects.filter(workflow="background-generator", pixel_class="512")
    assert ordered() == 1
    try:
        small.update(credits=6)
        assert ordered() == 6
    finally:
        small.update(credits=1)
    assert ordered() == 1


@pytest.mark.parametrize(
    ("spec", "credits"),
    [
        ({}, 2),
        ({"resolution": None}, 2),
        ({"resolution": "512"}, 1),
        ({"resolution": "1K"}, 2),
        ({"resolution": "2K"}, 4),
        ({"resolution": "4K"}, 8),
        ({"resolution": "4k"}, 8),
        ({"resolution": " 4K "}, 8),
        ({"resolution": "4096"}, 8),
        ({"resolution": "4096x4096"}, 8),
        ({"resolution": "4096 × 4096"}, 8),
        ({"resolution": "2049x2100"}, 8),
        ({"resolution": "4K", "aspect_ratio": "16:9"}, 8),
        ({"resolution": "600x600"}, 2),
        ({"resolution": "8K"}, 2),
        ({"resolution": "99999x99999"}, 2),
        ({"resolution": "x" * 100_000}, 2),
        ({"resolution": "٤٠٩٦"}, 2),
        ({"resolution": "4K", "aspect_ratio": "nonsense"}, 2),
        ({"image_model": "unheard of", "resolution": "4K"}, 8),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_price_hangs_on_the_pixels_and_what_nobody_can_make_costs_the_base_price(
    db, shop: Shop, spec: dict, credits: int
):
    assert cost(shop, **spec) == credits
    assert shop.balance == 100 - credits


def test_what_is_free_is_ordered_with_a_charge_of_zero(db):
    shop = Shop.make(credits=0)
    Price.objects.update(credits=0)
    assert cost(shop) == 0
    charge = LedgerEntry.objects.get(kind="CHARGE")
    assert (charge.amount, charge.balance_after) == (0, 0)


def test_without_a_price_there_is_no_order(db, shop: Shop):
    Price.objects.filter(workflow="background-generator").delete()
    answer = post(shop, "/v1/background-generator", SPEC)
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_price"
    assert "background-generator" in answer.json()["detail"]
    assert answer.headers["Retry-After"]
    assert not Job.objects.exists()
    assert shop.balance == 100
    assert RequestLog.objects.get().code == "no_price"
    Price.objects.create(workflow="background-generator", credits=9)
    assert cost(shop) == 9


def test_the_first_prices_and_workflows_are_there(db):
    assert set(Workflow.objects.values_list("name", flat=True)) == {"background-generator", "extract"}
    assert Price.objects.filter(workflow="extract", model=None, pixel_class=None).exists()
