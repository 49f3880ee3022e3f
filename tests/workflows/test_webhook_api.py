"""/v1/webhook-endpoints and /v1/webhook-deliveries: what is strict, bounded, and nobody else's."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest

from requestlog.models import RequestLog
from tests.conftest import Shop
from tests.helpers import get, post, refused, sql, together
from tests.http_client import HttpClient
from workflows.models import WebhookDelivery, WebhookEndpoint
from workflows.webhooks import listing

ENDPOINTS, DELIVERIES = "/v1/webhook-endpoints", "/v1/webhook-deliveries"
URL = "https://hooks.example/studio"


def call(shop: Shop, method: str, path: str, body: Any = None) -> Any:
    if method == "GET":
        return get(shop, path)
    verb: Callable[..., Any] = getattr(HttpClient(), method.lower())
    headers = {"HTTP_AUTHORIZATION": f"Bearer {shop.key}"}
    return verb(path, **headers) if body is None else verb(path, body, content_type="application/json", **headers)


def made(shop: Shop, **body: Any) -> dict[str, Any]:
    answer = post(shop, ENDPOINTS, {"url": URL, **body})
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(own_database: str, shop: Shop):
    answer = post(shop, ENDPOINTS, {"url": URL, "event_types": ["job.failed", "job.failed"], "unknown": 1})
    endpoint = answer.json()
    secret = endpoint.pop("secret")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]+=*", secret)
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
    assert (endpoint["url"], endpoint["event_types"], endpoint["enabled"]) == (URL, ["job.failed"], True)
    assert answer.headers["Location"] == f"{ENDPOINTS}/{endpoint['endpoint_id']}"
    assert get(shop, answer.headers["Location"]).json() == endpoint
    assert get(shop, ENDPOINTS).json() == {"endpoints": [endpoint]}
    assert RequestLog.objects.get().status == 201


def test_it_is_changed_in_what_is_given(own_database: str, shop: Shop):
    path = f"{ENDPOINTS}/{made(shop)['endpoint_id']}"
    assert call(shop, "PATCH", path, {}).json()["url"] == URL
    changed = call(shop, "PATCH", path, {"event_types": ["credits.low"], "enabled": False}).json()
    assert (changed["url"], changed["event_types"], changed["enabled"]) == (URL, ["credits.low"], False)
    assert changed["disabled_reason"] == "Its client disabled it."
    changed = call(shop, "PATCH", path, {"url": URL + "/2", "enabled": True}).json()
    assert (changed["url"], changed["enabled"], changed["disabled_reason"]) == (URL + "/2", True, "")
    assert get(shop, path).json() == changed


def test_a_deleted_endpoint_is_gone_and_its_deliveries_stay(own_database: str, shop: Shop):
    path = f"{ENDPOINTS}/{made(shop)['endpoint_id']}"
    delivery = post(shop, f"{path}/test", {}).json()
    assert call(shop, "DELETE", path).status_code == 204
    for method in ("GET", "DELETE"):
        assert call(shop, method, path).status_code == 404
    assert get(shop, ENDPOINTS).json() == {"endpoints": []}
    row = WebhookEndpoint.objects.get()
    assert (row.encrypted_secret, row.previous_encrypted_secret) == ("", "")
    assert get(shop, f"{DELIVERIES}/{delivery['delivery_id']}").json()["status"] == "failed"


FAULTS: dict[str, tuple[Any, dict[str, str]]] = {
    "blanks": ({"url": "", "event_types": [""]}, {"url": "blank", "event_types.0": "blank"}),
    "nothing": ({}, {"url": "missing"}),
    "no object": ([], {"": "model_attributes_type"}),
    "wrong types": ({"url": 1, "event_types": "all"}, {"url": "string_type", "event_types": "list_type"}),
    "null": ({"url": None, "event_types": None}, {"url": "string_type", "event_types": "list_type"}),
    "unknown events": (
        {"url": URL, "event_types": ["job.lost", 1, "endpoint.test"]},
        {"event_types.0": "enum", "event_types.1": "string_type", "event_types.2": "enum"},
    ),
    "NUL": ({"url": URL + "\0"}, {"url": "string_unicode"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_endpoint_is_refused(db, shop: Shop, name: str):
    body, faults = FAULTS[name]
    answer = post(shop, ENDPOINTS, body)
    assert answer.status_code == 422
    found = {".".join(map(str, fault["loc"][1:])): fault["type"] for fault in answer.json()["detail"]}
    assert found == faults
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("body", [{"url": None}, {"url": "http:/"}, {"enabled": 1}, {"event_types": None}, []])
def test_what_is_no_change_is_refused(own_database: str, shop: Shop, body: Any):
    path = f"{ENDPOINTS}/{made(shop)['endpoint_id']}"
    before = get(shop, path).json()
    assert call(shop, "PATCH", path, body).status_code == 422
    assert get(shop, path).json() == before


@pytest.mark.parametrize("threshold", [0, -1, 1_000_000_000_001, 10**30, "5", 1.5, True])
def test_what_is_no_threshold_is_refused(db, shop: Shop, threshold: Any):
    assert call(shop, "PUT", "/v1/credits/alert", {"threshold": threshold}).status_code == 422
    assert call(shop, "PUT", "/v1/credits/alert", {}).status_code == 422
    shop.client.refresh_from_db()
    assert shop.client.low_credits_threshold is None


def test_a_client_has_ten_endpoints_at_most_also_when_they_are_made_at_once(own_database: str, shop: Shop):
    for _ in range(8):
        made(shop)
    answers = together(*[lambda: post(shop, ENDPOINTS, {"url": URL})] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
    refused(post(shop, ENDPOINTS, {"url": URL}), 409, "too_many_endpoints")
    listed = get(shop, ENDPOINTS).json()["endpoints"]
    assert len(listed) == 10
    call(shop, "DELETE", f"{ENDPOINTS}/{listed[0]['endpoint_id']}")
    made(shop)
    made(Shop.make(name="Other"))


def sent_test(shop: Shop, endpoint: dict[str, Any]) -> str:
    return post(shop, f"{ENDPOINTS}/{endpoint['endpoint_id']}/test", {}).json()["delivery_id"]


def test_deliveries_are_listed_newest_first_and_filtered(
    own_database: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    first, second = made(shop), made(shop)
    ids = [sent_test(shop, endpoint) for endpoint in (first, second, first, second, first)]
    sql("UPDATE workflows_webhookdelivery SET delivered_at = now(), next_attempt_at = NULL WHERE id = %s", ids[0])
    sql("UPDATE workflows_webhookdelivery SET gave_up_at = now(), next_attempt_at = NULL WHERE id = %s", ids[1])

    def listed(**query: Any) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            asked = query | ({"cursor": cursor} if cursor else {})
            answer = get(shop, f"{DELIVERIES}?" + "&".join(f"{name}={value}" for name, value in asked.items())).json()
            found += [delivery["delivery_id"] for delivery in answer["deliveries"]]
            if (cursor := answer["next"]) is None:
                return found

    for searched in (5_000, 2):
        monkeypatch.setattr(listing, "SEARCHED", searched)
        for limit in (1, 2, 100):
            assert listed(limit=limit) == ids[::-1]
            assert listed(limit=limit, status="delivered") == [ids[0]]
            assert listed(limit=limit, status="failed") == [ids[1]]
            assert listed(limit=limit, status="pending") == ids[:1:-1]
            assert listed(limit=limit, endpoint_id=second["endpoint_id"].lower()) == [ids[3], ids[1]]
            assert listed(limit=limit, event_type="job.failed") == []
            assert listed(
                limit=limit, event_type="endpoint.test", status="pending", endpoint_id=first["endpoint_id"]
            ) == [
                ids[4],
                ids[2],
            ]


@pytest.mark.parametrize("query", ["status=lost", "event_type=x", "cursor=1", "endpoint_id=%00", "limit=0", "statsu=x"])
def test_what_is_no_filter_is_refused(db, shop: Shop, query: str):
    answer = get(shop, f"{DELIVERIES}?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


NOBODYS = "0" * 26
ONES = [
    ("GET", f"{ENDPOINTS}/{{endpoint}}"),
    ("PATCH", f"{ENDPOINTS}/{{endpoint}}"),
    ("DELETE", f"{ENDPOINTS}/{{endpoint}}"),
    ("POST", f"{ENDPOINTS}/{{endpoint}}/rotate-secret"),
    ("POST", f"{ENDPOINTS}/{{endpoint}}/test"),
    ("GET", f"{DELIVERIES}/{{delivery}}"),
    ("POST", f"{DELIVERIES}/{{delivery}}/replay"),
]


@pytest.mark.parametrize(("method", "path"), ONES)
def test_what_is_another_clients_is_not_there(own_database: str, shop: Shop, method: str, path: str):
    endpoint = made(shop)
    delivery = sent_test(shop, endpoint)
    before = sql("SELECT * FROM workflows_webhookendpoint"), sql("SELECT * FROM workflows_webhookdelivery")
    stranger = Shop.make(name="Stranger")
    answers = [
        call(stranger, method, path.format(endpoint=endpoint_id, delivery=delivery_id), {"enabled": False})
        for endpoint_id, delivery_id in ((endpoint["endpoint_id"], delivery), (NOBODYS, NOBODYS))
    ]
    theirs, nobodys = ({**answer.json(), "request_id": ""} for answer in answers)
    assert [answer.status_code for answer in answers] == [404, 404]
    assert theirs["code"] == nobodys["code"] == "not_found"
    assert theirs["detail"].replace(delivery, NOBODYS).replace(endpoint["endpoint_id"], NOBODYS) == nobodys["detail"]
    assert before == (sql("SELECT * FROM workflows_webhookendpoint"), sql("SELECT * FROM workflows_webhookdelivery"))


def test_lists_show_only_what_is_ones_own(own_database: str, shop: Shop):
    endpoint = made(shop)
    sent_test(shop, endpoint)
    stranger = Shop.make(name="Stranger")
    assert get(stranger, ENDPOINTS).json() == {"endpoints": []}
    for query in ("", f"?endpoint_id={endpoint['endpoint_id']}"):
        assert get(stranger, DELIVERIES + query).json() == {"deliveries": [], "next": None}
    assert WebhookDelivery.objects.count() == 1
