"""P10: a client sees and touches only what is its own, at every path that the API document has."""

import json
from typing import Any

import pytest

from studio_gateway.api.openapi import document
from tests.conftest import Shop
from tests.gateway import eventually
from tests.helpers import SPEC, claimed, post
from tests.http_client import HttpClient
from workflows import jobs
from workflows.models import Event, Job, WebhookDelivery, WebhookEndpoint

# What tells a client of all that it has, and how many rows it has of its own.
LISTS = {
    "/v1/jobs": lambda body: len(body["jobs"]),
    "/v1/credits/entries": lambda body: len(body["entries"]),
    "/v1/credits": lambda body: body["open_jobs"] + body["month"]["charged"],
    "/v1/credits/alert": lambda body: body["threshold"],
    "/v1/usage": lambda body: body["total"]["jobs"] + len(body["groups"]),
    "/v1/webhook-endpoints": lambda body: len(body["endpoints"]),
    "/v1/webhook-deliveries": lambda body: len(body["deliveries"]),
    "/v1/events": lambda body: len(body["events"]),
}
# What is the same for all.
COMMON = {"/v1/workflows", "/v1/models"}

OPERATIONS = [(method, path) for path, item in json.loads(document())["paths"].items() for method in item]


class Theirs:
    """Another client's, of everything one: what ids there are in paths, and the rows as they are."""

    def __init__(self) -> None:
        self.shop = Shop.make(credits=50, name="Other")
        type(self.shop.client).objects.filter(pk=self.shop.client.pk).update(low_credits_threshold=5)
        endpoint = post(self.shop, "/v1/webhook-endpoints", {"url": "https://hooks.example/studio"}).json()
        spec = {**SPEC, "metadata": {"mine": "yes"}, "pilot_brand": "Brand"}
        accepted = post(self.shop, "/v1/background-generator", spec, HTTP_IDEMPOTENCY_KEY="theirs").json()
        self.job = Job.objects.get(pk=accepted["job_id"])
        claimed(self.job)
        self.ids = {
            "job_id": accepted["job_id"],
            "request_id": accepted["request_id"],
            "endpoint_id": endpoint["endpoint_id"],
            "delivery_id": WebhookDelivery.objects.get().pk,
        }

    @property
    def rows(self) -> list[Any]:
        tables = (type(self.shop.client), Job, WebhookEndpoint, WebhookDelivery, Event)
        return [list(table.objects.order_by("pk").filter(**self.whose(table)).values()) for table in tables]

    def whose(self, table: Any) -> dict[str, Any]:
        return {"pk" if table is type(self.shop.client) else "client": self.shop.client.pk}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nothing_of_another_clients_is_seen_or_touched(own_database: str, method: str, path: str):
    shop, theirs = Shop.make(credits=0), Theirs()
    before = theirs.rows

    def call(caller: Shop, ids: dict[str, str], query: str = "") -> Any:
        key = {"HTTP_AUTHORIZATION": f"Bearer {caller.key}"}
        return HttpClient().generic(method.upper(), path.format(**ids) + query, content_type="application/json", **key)

    if "{" in path:
        nobodys = dict.fromkeys(theirs.ids, "0" * 26)
        answers = [call(shop, ids) for ids in (theirs.ids, nobodys)]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 2
        # The words are the same too, but for the id that was asked for.
        details = [answer.json()["detail"] for answer in answers]
        for name in theirs.ids:
            details[0] = details[0].replace(theirs.ids[name], nobodys[name])
        assert details[0] == details[1]
    elif method == "get" and path in LISTS:
        # Events are told once no transaction is under way that may come before them.
        assert eventually(lambda: LISTS[path](call(theirs.shop, {}).json()))
        for query in (
            "",
            f"?reference={theirs.job.pk}",
            f"?endpoint_id={theirs.ids['endpoint_id']}",
            "?metadata[mine]=yes",
            "?pilot_brand=Brand",
            "?group_by=pilot_brand",
        ):
            answer = call(shop, {}, query)
            if answer.status_code == 200:
                assert not LISTS[path](answer.json())
            assert theirs.job.pk not in answer.content.decode() and "Brand" not in answer.content.decode()
    else:
        # The rest makes what is the caller's own, or says what is the same for all.
        assert path in COMMON or method in ("post", "put")
        assert theirs.job.pk not in call(shop, {}).content.decode()
    assert theirs.rows == before
    once = jobs.Once(key="theirs", digest=theirs.job.order_digest, header="")
    assert jobs.replayed(client=theirs.shop.client, once=once) == theirs.job
