"""A whole visit of a shop's, by a script that knows nothing of ours but the API."""

import subprocess
import sys

import pytest

from tests.conftest import Shop
from tests.gateway import ROOT, Gateway, eventually
from tests.helpers import books_are_right
from tests.webhooks import hurry
from workflows.models import Job, WebhookDelivery


def visit(gateway: Gateway, key: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-I", str(ROOT / "tests" / "a_shop.py"), gateway.url, key, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def all_was_well(gateway: Gateway, shop: Shop, process: subprocess.Popen[str]) -> str:
    said, wrong = process.communicate(timeout=90)
    assert (process.returncode, wrong) == (0, ""), said
    jobs = Job.objects.filter(client=shop.client).order_by("pk")
    assert [(job.workflow, job.status) for job in jobs] == [
        ("background-generator", "SUCCESS"),
        ("extract", "SUCCESS"),
        ("background-generator", "FAILURE"),
    ]
    books_are_right(shop.client)
    assert f"balance {shop.balance}: receipts, ledger and usage agree" in said
    assert gateway.call("GET", "/v1/webhook-endpoints", key=shop.key).json == {"endpoints": []}
    return said


def test_it_uploads_orders_is_told_and_its_own_sum_is_the_bill(gateway: Gateway, shop: Shop):
    process = visit(gateway, shop.key, "--patient")
    failed = WebhookDelivery.objects.filter(
        client=shop.client, tries=2, lease_until=None, next_attempt_at__isnull=False
    )
    # The first pause, of five seconds, it waits for itself; the second would be five minutes.
    hurry(eventually(failed.first, seconds=60, what="one event was refused twice"))
    assert "was delivered after two failures by itself" in all_was_well(gateway, shop, process)


@pytest.mark.slow
def test_with_files_in_s3_it_is_the_same(gateway_on_s3: Gateway, shop: Shop):
    said = all_was_well(gateway_on_s3, shop, visit(gateway_on_s3, shop.key))
    assert "was delivered after two failures, replayed" in said


def test_it_says_what_is_not_as_it_should_be(gateway: Gateway):
    said, wrong = visit(gateway, "sk_nobodys").communicate(timeout=30)
    assert (said, wrong[:6]) == ("", "WRONG:")
    assert "answered 401" in wrong
