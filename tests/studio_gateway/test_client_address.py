"""Whose address a request has: the client's own, where trusted proxies stand before the gateway and say so."""

from ipaddress import ip_network

import pytest

from requestlog.models import RequestLog
from tests.helpers import post

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


@pytest.mark.parametrize(
    ("sender", "forwarded", "seen"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1 , 10.2.3.4", "198.51.100.1"),
        ("2001:db8::7", "2001:db9::1", "2001:db9::1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, not an address, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "198.51.100.1, made\x00up", "10.0.0.1"),
        ("10.0.0.1", "x" * 500, "10.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_log_has_the_last_address_that_no_trusted_proxy_has(
    db, settings, sender: str, forwarded: str | None, seen: str
):
    settings.TRUSTED_PROXIES = PROXIES
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    post(None, "/v1/extract", {}, REMOTE_ADDR=sender, **headers)
    assert RequestLog.objects.get().remote_addr == seen


def test_without_trusted_proxies_nobody_is_believed(db, settings):
    assert settings.TRUSTED_PROXIES == []
    post(None, "/v1/extract", {}, REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert RequestLog.objects.get().remote_addr == "127.0.0.1"
