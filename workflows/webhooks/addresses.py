"""Where webhooks may go: to https URLs, at addresses that everybody on the internet could reach.

A local run may also send to its own machine, and without TLS.
"""

import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from django.conf import settings

from workflows.errors import BadWebhookURL
from workflows.webhooks.models import MAX_URL

Address = IPv4Address | IPv6Address

# No credentials, no fragment, no escapes in the host, nothing but ASCII.
URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>[/?][!\"$-~]*)?",
    re.ASCII | re.IGNORECASE,
)
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*", re.ASCII | re.IGNORECASE)
# What resolvers take for an IPv4 address, as browsers tell it (https://url.spec.whatwg.org/#ends-in-a-number-checker).
NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII | re.IGNORECASE)

# https://www.iana.org/assignments/iana-ipv4-special-registry, multicast, and Azure's metadata service.
NOT_PUBLIC_V4 = [
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
    )
]
# Whatever is not global unicast is not public: so are ::1, v4-mapped, NAT64, unique local, link-local and multicast
# addresses. Of the rest not Teredo and its like, not documentation, and not 6to4, in which any IPv4 address can hide.
PUBLIC_V6 = ip_network("2000::/3")
NOT_PUBLIC_V6 = [ip_network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


NOT_PUBLIC = "Its host is at an address that is not public."


class Target(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str


def parse(url: str) -> Target:
    """Take a URL apart. Raises BadWebhookURL where nothing may be sent to it, as far as can be told without DNS."""
    match = URL.fullmatch(url) if len(url) <= MAX_URL else None
    if match is None:
        raise BadWebhookURL(why=f"It is no URL like https://example.com/hooks of at most {MAX_URL} ASCII characters.")
    scheme, host, path = match["scheme"].lower(), match["host"].lower().strip("[]"), match["path"] or "/"
    port = int(match["port"] or (443 if scheme == "https" else 80))
    if not settings.LOCAL and scheme != "https":
        raise BadWebhookURL(why="It must begin with https://.")
    if not 0 < port < 65536 or not (settings.LOCAL or port == 443 or port >= 1024):
        raise BadWebhookURL(why="Its port must be 443, or one from 1024 to 65535.")
    if ":" in host or NUMBER.fullmatch(host):
        _check(_literal(host))
    elif not NAME.fullmatch(host) or len(host) > 253:
        raise BadWebhookURL(why="Its host is no host name.")
    return Target(scheme, host, port, path if path.startswith("/") else f"/{path}")


def resolve(target: Target) -> list[tuple[int, tuple[str, int]]]:
    """Return address family and socket address of each of the target's addresses, all of them checked.

    Whoever connects takes these and asks no more: a second answer could be another one. Raises BadWebhookURL, or
    OSError where there is no answer.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = [(int(family), (str(where[0]), int(where[1]))) for family, _, _, _, where in found]
    for _, (address, _) in addresses:
        _check(ip_address(address))
    return addresses


def _literal(host: str) -> Address:
    try:
        return ip_address(host)  # which takes no octal, hexadecimal or shortened spelling
    except ValueError as error:
        raise BadWebhookURL(why="Its host is no IP address in the usual spelling.") from error


def _check(address: Address) -> None:
    if settings.LOCAL and address.is_loopback:
        return
    if isinstance(address, IPv4Address):
        public = not any(address in network for network in NOT_PUBLIC_V4)
    else:
        public = address in PUBLIC_V6 and not any(address in network for network in NOT_PUBLIC_V6)
    if not public:
        raise BadWebhookURL(why=NOT_PUBLIC)
