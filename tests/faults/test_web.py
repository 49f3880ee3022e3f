"""A web process that dies, or loses its database, around the commit of an order: whoever sends it again has one job."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psutil
import pytest

from billing.models import LedgerEntry
from requestlog.models import RequestLog
from tests import databases
from tests.conftest import Shop
from tests.faults.cluster import SETTINGS, order, reconciled
from tests.faults.proxy import ACCEPTS, NONSENSE, Proxy
from tests.gateway import Answer, Gateway, eventually
from tests.helpers import books_are_right
from workflows.models import Job


@pytest.fixture(scope="module")
def front(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Proxy]]:
    """A web process, and the proxy through which it reaches its database."""
    with django_db_blocker.unblock():
        database = databases.fresh()
        proxy = Proxy(databases.url(database))
        gateway = Gateway(proxy.url, tmp_path_factory.mktemp("front"), extra_env=SETTINGS)
        gateway.start("web")
        with databases.connected(database):
            yield gateway, proxy
            reconciled(gateway)
        gateway.stop()
        proxy.close()
        databases.drop(database)


def sent(gateway: Gateway, shop: Shop) -> "Future[Answer]":
    """Send an order from a thread."""
    executor = ThreadPoolExecutor(1)
    try:
        return executor.submit(order, gateway, shop, "quick", once="k")
    finally:
        executor.shutdown(wait=False)


def killed(gateway: Gateway) -> None:
    """SIGKILL the web process and what it started."""
    web = gateway.processes.pop("web")
    everyone = psutil.Process(web.pid).children(recursive=True)
    os.killpg(web.pid, signal.SIGKILL)
    web.wait()
    psutil.wait_procs(everyone, timeout=10)


def one_job(shop: Shop) -> Job:
    books_are_right(shop.client)
    job = Job.objects.get(client=shop.client)
    entries = LedgerEntry.objects.filter(client=shop.client).values_list("kind", "amount")
    assert list(entries.order_by("seq")) == [("GRANT", 100), ("CHARGE", -job.credits_cost)]
    log = RequestLog.objects.get(pk=job.request_id)
    assert (log.status, log.job_id) == (202, job.pk)
    return job


def test_an_order_whose_web_process_was_killed_before_its_commit_is_not_there(front: tuple[Gateway, Proxy], shop: Shop):
    gateway, proxy = front
    with proxy.armed(ACCEPTS, forward=False) as trap:
        answer = sent(gateway, shop)
        trap.wait()
        killed(gateway)
    assert isinstance(answer.exception(10), OSError)
    assert not Job.objects.filter(client=shop.client).exists()
    assert shop.balance == 100
    gateway.start("web")
    again = order(gateway, shop, "quick", once="k")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (202, None)
    assert again.json["job_id"] == one_job(shop).pk


def test_an_order_whose_web_process_was_killed_after_its_commit_is_replayed(front: tuple[Gateway, Proxy], shop: Shop):
    gateway, proxy = front
    with proxy.armed(ACCEPTS, forward=True) as trap:
        answer = sent(gateway, shop)
        trap.wait()
        killed(gateway)
    assert isinstance(answer.exception(10), OSError)
    job = one_job(shop)
    gateway.start("web")
    again = order(gateway, shop, "quick", once="k")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.json["job_id"] == job.pk == one_job(shop).pk


@pytest.mark.parametrize("committed", [True, False], ids=["after the server had it", "before the server had it"])
def test_an_order_whose_connection_is_cut_at_its_commit_is_one_job_for_whoever_sends_it_again(
    front: tuple[Gateway, Proxy], shop: Shop, committed: bool
):
    gateway, proxy = front
    with proxy.armed(ACCEPTS, forward=committed, hold=False) as trap:
        answer = sent(gateway, shop)
        trap.wait()
        refused = answer.result(20)
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert Job.objects.filter(client=shop.client).exists() == committed
    logged = RequestLog.objects.get(pk=refused.headers["X-Request-Id"])
    assert logged.status == (202 if committed else 503)  # where there is a job, its own row is the truth
    again = order(gateway, shop, "quick", once="k")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (202, "true" if committed else None)
    assert again.json["job_id"] == one_job(shop).pk


def test_an_order_whose_commit_is_answered_with_nonsense_is_one_job_for_whoever_sends_it_again(
    front: tuple[Gateway, Proxy], shop: Shop
):
    gateway, proxy = front
    with proxy.armed(ACCEPTS, forward=True, instead=NONSENSE):
        refused = order(gateway, shop, "quick", once="k")
    assert (refused.status, refused.json["code"]) == (503, "database_unavailable")
    again = order(gateway, shop, "quick", once="k")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.json["job_id"] == one_job(shop).pk


def test_a_killed_web_worker_is_replaced(front: tuple[Gateway, Proxy], shop: Shop):
    gateway, _ = front
    main = psutil.Process(gateway.processes["web"].pid)
    before = main.children(recursive=True)
    for process in before:
        process.kill()
    psutil.wait_procs(before, timeout=10)
    eventually(gateway.is_up, what="another answers")
    assert order(gateway, shop, "quick", once="k").status == 202
    one_job(shop)
