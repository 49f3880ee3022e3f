"""The connections that the web process keeps: what they are asked for an order, and what becomes of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.models import Client
from tests import databases
from tests.conftest import Shop
from tests.faults.proxy import Proxy
from tests.gateway import Gateway, eventually
from tests.helpers import SPEC, sql
from workflows.models import Job

THREADS = 2


@pytest.fixture(scope="module")
def front(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Proxy]]:
    """A web process, and the proxy through which it reaches its database."""
    with django_db_blocker.unblock():
        name = databases.fresh()
        proxy = Proxy(databases.url(name))
        env = {"WEB_PROCESSES": "1", "WEB_THREADS": str(THREADS)}
        gateway = Gateway(proxy.url, tmp_path_factory.mktemp("front"), extra_env=env)
        gateway.start("web")
        with databases.connected(name):
            yield gateway, proxy
        gateway.stop()
        proxy.close()
        databases.drop(name)


def order(gateway: Gateway, shop: Shop) -> int:
    return gateway.call("POST", "/v1/background-generator", SPEC, key=shop.key).status


def orders(gateway: Gateway, shop: Shop, count: int) -> list[int]:
    """Order so many times at once, so that every thread has something to do."""
    with ThreadPoolExecutor(count) as executor:
        return list(executor.map(lambda _: order(gateway, shop), range(count)))


def lost() -> None:
    """End every connection to this database but the test's own, as a crash of the server does."""
    sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


def test_an_order_is_two_statements_and_the_connections_are_those_that_were_there(
    front: tuple[Gateway, Proxy], shop: Shop
):
    gateway, proxy = front
    for _ in range(5):  # until each thread has its connection, and each connection has the statements prepared
        assert set(orders(gateway, shop, 4 * THREADS)) == {202}
    connections, statements = proxy.connections, proxy.statements
    assert [order(gateway, shop) for _ in range(10)] == [202] * 10
    assert (proxy.connections, proxy.statements) == (connections, statements + 2 * 10)


def test_no_order_fails_for_a_connection_that_was_lost_while_nobody_used_it(front: tuple[Gateway, Proxy], shop: Shop):
    gateway, _ = front
    for _ in range(3):
        assert set(orders(gateway, shop, 4 * THREADS)) == {202}
        lost()
    assert set(orders(gateway, shop, 4 * THREADS)) == {202}
    assert Job.objects.filter(client=shop.client).count() == 16 * THREADS


def test_an_order_waits_for_a_database_that_is_only_being_started_again(front: tuple[Gateway, Proxy], shop: Shop):
    gateway, proxy = front
    proxy.away = True
    lost()
    tries = proxy.connections
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(order, gateway, shop)
        eventually(lambda: proxy.connections > tries + 2, what="the web process has been turned away, and tried again")
        proxy.away = False
        assert answer.result(20) == 202
    assert Client.objects.get(pk=shop.client.pk).open_jobs == 1
