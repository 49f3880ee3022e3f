"""GET /v1/events: every event, once, in one order, however long its transaction takes to commit."""

import itertools
import json
import random
import threading
import time
from typing import Any

import pytest
from django.db import connection, transaction

from tests.conftest import Shop
from tests.gateway import eventually
from tests.helpers import claimed, get, order, sql, succeed
from workflows.models import Event
from workflows.webhooks import feed
from workflows.webhooks.events import tell_of_low_credits


def told(shop: Shop) -> None:
    shop.client.read_again()
    tell_of_low_credits(shop.client)


def page(shop: Shop, after: str | None = None, **query: Any) -> dict[str, Any]:
    query |= {"after": after} if after else {}
    answer = get(shop, "/v1/events?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert answer.status_code == 200, answer.content
    return answer.json()


def settled() -> bool:
    """Tell whether no transaction of this server that has written something is under way, so that all can be read."""
    ((count,),) = sql("SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL")
    return count == 0


def test_it_says_what_webhooks_say_in_order(own_database: str, shop: Shop):
    job = order(shop)
    succeed(claimed(job))
    eventually(settled)
    found = page(shop)
    bodies = [json.loads(event.body) for event in Event.objects.order_by("sequence")]
    assert [event["type"] for event in found["events"]] == ["job.started", "job.succeeded"]
    assert [{**event, "id": None} for event in found["events"]] == [{"id": None, **body} for body in bodies]
    assert {event["id"] for event in found["events"]} == {event.message_id for event in Event.objects.all()}
    assert page(shop, found["next"]) == {"events": [], "next": found["next"]}


def test_where_nothing_has_happened_there_is_nothing(own_database: str, shop: Shop):
    assert page(shop) == {"events": [], "next": None}


def test_it_goes_on_page_by_page(own_database: str, shop: Shop):
    for _ in range(5):
        told(shop)
    with transaction.atomic():  # two of one transaction
        told(shop)
        told(shop)
    eventually(settled)
    everything = [event["id"] for event in page(shop)["events"]]
    assert everything == [f"msg_{pk}" for pk in Event.objects.order_by("id").values_list("pk", flat=True)]
    read, after = [], None
    while (found := page(shop, after, limit=2))["events"]:
        read.append([event["id"] for event in found["events"]])
        after = found["next"]
    assert [len(ids) for ids in read] == [2, 2, 2, 1]
    assert list(itertools.chain(*read)) == everything


def test_a_page_has_a_size(own_database: str, shop: Shop, monkeypatch: pytest.MonkeyPatch):
    for _ in range(3):
        told(shop)
    eventually(settled)
    size = len(Event.objects.all()[0].body)
    for room, count in ((1, 1), (2 * size, 2), (3 * size - 1, 2)):
        monkeypatch.setattr(feed, "PAGE_SIZE", room)
        assert len(page(shop)["events"]) == count


def test_another_clients_events_are_not_there(own_database: str, shop: Shop):
    other = Shop.make(name="Other")
    told(other)
    eventually(settled)
    assert page(shop)["events"] == []
    cursor = page(other)["next"]
    assert page(shop, cursor)["events"] == []


def test_nothing_is_handed_out_before_what_an_older_transaction_may_still_commit(own_database: str, shop: Shop):
    written, commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            told(shop)
            written.set()
            assert commit.wait(20)
        connection.close()

    held = threading.Thread(target=slow)
    held.start()
    assert written.wait(20)
    told(shop)
    assert Event.objects.count() == 1  # it is committed, and younger than what is held
    assert page(shop) == {"events": [], "next": None}
    commit.set()
    held.join(20)
    eventually(settled)
    assert [event["id"] for event in page(shop)["events"]] == [
        f"msg_{pk}" for (pk,) in sql("SELECT id FROM workflows_event ORDER BY xid")
    ]
    assert Event.objects.count() == 2


def test_readers_miss_nothing_and_see_nothing_twice_while_many_write(own_database: str, shop: Shop):
    writers, each = 4, 25

    def write(seed: int) -> None:
        pause = random.Random(seed)
        for _ in range(each):
            with transaction.atomic():
                told(shop)
                time.sleep(pause.uniform(0, 0.01))  # so that they commit in another order than they began
        connection.close()

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    read: list[str] = []
    after: str | None = None

    def everything() -> bool:
        nonlocal after
        found = feed.read(client=shop.client, limit=7, after=after)
        read.extend(event["id"] for event in found.events)
        after = found.next
        return len(read) >= writers * each and not any(thread.is_alive() for thread in threads)

    eventually(everything, seconds=30)
    assert len(set(read)) == len(read) == writers * each
    assert read == [f"msg_{pk}" for (pk,) in sql("SELECT id FROM workflows_event ORDER BY xid, id")]


def test_a_long_history_is_read_by_its_index(own_database: str, shop: Shop):
    told(shop)
    sql(
        "INSERT INTO workflows_event (id, client_id, type, body) SELECT lpad(n::text, 26, '0'), %s, 'credits.low', '{}'"
        " FROM generate_series(1, 20000) n",
        shop.client.pk,
    )
    sql("ANALYZE workflows_event")
    values = {"client_id": shop.client.pk, "xid": "1", "id": "", "limit": 20, "size": feed.PAGE_SIZE}
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + feed.READ, values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "event_feed" in plan and "Seq Scan" not in plan


BAD = ["x", "0" * 42 + "I", "g" * 16 + "0" * 26, "0" * 16, "", "0" * 41, "0" * 43]


@pytest.mark.parametrize("query", [*(f"after={bad}" for bad in BAD), "limit=0", "limit=101", "afetr=1"])
def test_what_is_no_query_is_refused(db, shop: Shop, query: str):
    answer = get(shop, f"/v1/events?{query}")
    assert answer.status_code == 422
    (fault,) = answer.json()["detail"]
    assert fault["loc"] == ["query", query.partition("=")[0]]


def test_the_highest_cursor_there_is_is_only_the_end(db, shop: Shop):
    cursor = "f" * 16 + "Z" * 26
    assert page(shop, cursor) == {"events": [], "next": cursor}
