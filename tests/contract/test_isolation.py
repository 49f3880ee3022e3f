"""P10: a client sees and touches only what is its own, at every path that the API document has."""

import json
from typing import Any

import pytest
from django.test import Client as HttpClient

from studio_gateway.api.openapi import document
from tests.conftest import Shop
from tests.helpers import SPEC, post, row
from workflows import jobs
from workflows.models import Job

# For each path with an id in it, another client's: what it is called, and where a job of theirs says so.
IDS = {"job_id": "pk", "request_id": "request_id"}
# What tells a client of all that it has, and how many rows it has of its own.
LISTS = {
    "/v1/jobs": lambda body: len(body["jobs"]),
    "/v1/credits/entries": lambda body: len(body["entries"]),
    "/v1/credits": lambda body: body["open_jobs"] + body["month"]["charged"],
    "/v1/usage": lambda body: body["total"]["jobs"] + len(body["groups"]),
}
# What is the same for all, or answers with what was sent.
COMMON = {"/v1/workflows", "/v1/models", "/v1/background-generator", "/v1/extract"}

OPERATIONS = [(method, path) for path, item in json.loads(document())["paths"].items() for method in item]


def theirs() -> tuple[Shop, Job]:
    """Return another client with an order that has metadata, a request id and a key of its own."""
    other = Shop.make(credits=50, name="Other")
    spec = {**SPEC, "metadata": {"mine": "yes"}, "pilot_brand": "Brand"}
    answer = post(other, "/v1/background-generator", spec, HTTP_IDEMPOTENCY_KEY="theirs")
    return other, Job.objects.get(pk=answer.json()["job_id"])


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nothing_of_another_clients_is_seen_or_touched(db, method: str, path: str):
    shop, (other, job) = Shop.make(credits=0), theirs()
    before = row(job)
    ids = {name: getattr(job, column) for name, column in IDS.items()}

    def call(caller: Shop, query: str = "") -> Any:
        url = path.format(**ids) + query
        key = {"HTTP_AUTHORIZATION": f"Bearer {caller.key}"}
        return HttpClient().generic(method.upper(), url, content_type="application/json", **key)

    if "{" in path:
        answer = call(shop)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        ids = dict.fromkeys(ids, "0" * 26)
        nobodys = call(shop)
        assert {**answer.json(), "request_id": ""} == {**nobodys.json(), "request_id": ""}
    elif path in LISTS:
        assert LISTS[path](call(other).json())
        for query in ("", f"?reference={job.pk}", "?metadata[mine]=yes", "?pilot_brand=Brand", "?group_by=pilot_brand"):
            answer = call(shop, query)
            if answer.status_code == 200:
                assert not LISTS[path](answer.json())
            assert job.pk not in answer.content.decode() and "Brand" not in answer.content.decode()
    else:
        assert path in COMMON
        assert job.pk not in call(shop).content.decode()
    assert row(job) == before
    assert jobs.replayed(client=other.client, once=jobs.Once(key="theirs", digest=job.order_digest, header="")) == job
