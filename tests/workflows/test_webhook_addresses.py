"""Where webhooks may not go, however it is spelt, and where they go however DNS answers."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import Shop
from tests.helpers import post as post_to_the_api
from tests.webhooks import receiver
from workflows.models import WebhookEndpoint
from workflows.webhooks import posting
from workflows.webhooks.posting import post

# None of these may even be an endpoint, outside a local run.
HOSTILE = [
    # Not https, or no URL.
    "http://hooks.example/",
    "ftp://hooks.example/",
    "file:///etc/passwd",
    "gopher://hooks.example:11211/_stats",
    "//hooks.example/",
    "https:hooks.example",
    "https:///etc/passwd",
    "https://",
    "https://" + "a" * 64 + ".example/",
    "https://hooks.example/" + "a" * 2000,
    # What parsers disagree about.
    "https://hooks.example@127.0.0.1/",
    "https://user:password@hooks.example/",
    "https://127.0.0.1\\@hooks.example/",
    "https://127.0.0.1#@hooks.example/",
    "https://127.0.0.1%23@hooks.example/",
    "https://hooks.example\r\nHost: localhost/",
    "https://hooks.example/\r\nX: y",
    "https://hooks.example /",
    " https://hooks.example/",
    "https://hooks.example\t/",
    "https://hooks。example/",
    "https://①②⑦.⓪.⓪.①/",
    "https://localhost./",
    "https://%6c%6f%63%61%6c%68%6f%73%74/",
    "https://hooks.example:0/",
    "https://hooks.example:65536/",
    "https://hooks.example:22/",
    "https://hooks.example:/",
    "https://[fe80::1%25eth0]/",
    # Other spellings of 127.0.0.1.
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
]

# What no name may stand for, either.
NOT_PUBLIC = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba's metadata
    "127.0.0.53",
    "168.63.129.16",  # Azure's
    "169.254.169.254",  # everybody else's
    "172.31.255.255",
    "192.0.0.192",  # Oracle's
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.19.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",  # NAT64
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:a9fe:a9fe::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::1",  # 6to4
    "2002:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",  # Amazon's metadata
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("url", [*HOSTILE, *(f"https://{_}/" for _ in NOT_PUBLIC if ":" not in _)])
def test_no_endpoint_is_made_of_a_hostile_url(db, shop: Shop, settings, url: str):
    settings.LOCAL = False
    answer = post_to_the_api(shop, "/v1/webhook-endpoints", {"url": url})
    assert answer.status_code == 422, answer.content
    (fault,) = answer.json()["detail"]
    assert (fault["loc"], fault["type"]) == (["body", "url"], "url_not_allowed")
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("address", [_ for _ in NOT_PUBLIC if ":" in _])
def test_no_endpoint_is_made_of_an_ipv6_address_that_is_not_public(db, shop: Shop, settings, address: str):
    settings.LOCAL = False
    answer = post_to_the_api(shop, "/v1/webhook-endpoints", {"url": f"https://[{address}]:8443/x"})
    assert answer.status_code == 422, answer.content


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/",
        "https://hooks.example",
        "HTTPS://Hooks.Example:8443/a/b?c=d&e=%20",
        "https://xn--bcher-kva.example?x",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://1password.example/",
        "https://a_b.example/",
    ],
)
def test_what_is_public_may_be_an_endpoint_and_is_kept_as_it_was_sent(db, shop: Shop, settings, url: str):
    settings.LOCAL = False
    answer = post_to_the_api(shop, "/v1/webhook-endpoints", {"url": url})
    assert (answer.status_code, answer.json().get("url")) == (201, url), answer.content


class Names:
    """DNS: each look-up of a name takes the next answer, which is a list of addresses."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        found = self.answers.pop(0)
        return [(_family(address), socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note every address that is connected to."""
    noted: list[Any] = []

    class Noting(socket.socket):
        def connect(self, address: Any) -> None:
            noted.append(address)
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Noting)
    return noted


# A local run may reach its own machine, and nothing else of these.
LOCALLY = [address for address in NOT_PUBLIC if not ipaddress.ip_address(address).is_loopback]


@pytest.mark.parametrize(("local", "address"), [*((False, _) for _ in NOT_PUBLIC), *((True, _) for _ in LOCALLY)])
def test_a_name_that_stands_for_it_is_not_connected_to(
    settings, monkeypatch: pytest.MonkeyPatch, connected: list[Any], address: str, local: bool
):
    settings.LOCAL = local
    monkeypatch.setattr(socket, "getaddrinfo", Names(["93.184.215.14", address]))
    answer = post("https://hooks.example/", body=b"{}", headers={})
    assert (answer.status, "not public" in answer.error) == (None, True)
    assert connected == []


def test_outside_a_local_run_not_even_localhost_is(settings, connected: list[Any]):
    settings.LOCAL = False
    with receiver() as got:
        answer = post(got.url.replace("http://127.0.0.1", "https://localhost"), body=b"{}", headers={})
    assert "not public" in answer.error
    assert (connected, got.got) == ([], [])


def test_dns_is_asked_once_and_what_it_said_is_connected_to(monkeypatch: pytest.MonkeyPatch):
    with receiver() as got:
        names = Names(["127.0.0.1"], ["169.254.169.254"])
        monkeypatch.setattr(socket, "getaddrinfo", names)
        answer = post(got.url.replace("127.0.0.1", "hooks.example"), body=b"{}", headers={})
    assert (answer.status, names.asked) == (204, 1)
    (sent,) = got.got
    assert sent.headers["host"] == f"hooks.example:{got.url.split(':')[2].split('/')[0]}"


def test_where_one_address_does_not_answer_the_next_one_does(monkeypatch: pytest.MonkeyPatch):
    with receiver() as got:
        monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.2", "127.0.0.1"]))
        assert post(got.url.replace("127.0.0.1", "hooks.example"), body=b"{}", headers={}).status == 204


def test_a_name_without_an_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert post("https://hooks.example/", body=b"", headers={}).error == (
        "gaierror: [Errno -2] Name or service not known"
    )


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiver() as got:
        assert post(got.url, body=b"{}", headers={}).status == 204


# TLS


def certificate(folder: Path, name: str) -> Path:
    """Make a certificate for `name` that signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    day = datetime.timedelta(days=1)
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), x509.random_serial_number(), today - day, today + day
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    encoding = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(encoding)
    )
    return path


class SecureReceiver:
    """Takes one connection, answers 204, and notes the name that TLS asked it for."""

    def __init__(self, pem: Path) -> None:
        self.named: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        context.sni_callback = lambda _, name, __: self.named.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, args=(context,), daemon=True).start()

    def serve(self, context: ssl.SSLContext) -> None:
        connection, _ = self.listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                got = b""
                while not got.endswith(b"{}"):
                    got += secure.recv(65536)
                secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        except OSError:
            connection.close()


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Trust the certificate of hooks.example; return its file."""
    pem = certificate(tmp_path, "hooks.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.1"]))
    posting._tls.cache_clear()
    yield pem
    posting._tls.cache_clear()


def test_tls_is_for_the_name_although_the_address_is_connected_to(trusting: Path):
    server = SecureReceiver(trusting)
    answer = post(f"https://hooks.example:{server.port}/", body=b"{}", headers={})
    assert (answer.status, answer.error) == (204, "")
    assert server.named == ["hooks.example"]


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
def test_the_certificate_of_another_name_is_refused(trusting: Path, name: str):
    server = SecureReceiver(trusting)
    answer = post(f"https://{name}:{server.port}/", body=b"{}", headers={})
    assert answer.status is None
    assert answer.error.startswith("SSLCertVerificationError")


def test_a_certificate_that_nobody_vouches_for_is_refused(trusting: Path, tmp_path: Path):
    (tmp_path / "own").mkdir()
    server = SecureReceiver(certificate(tmp_path / "own", "hooks.example"))
    answer = post(f"https://hooks.example:{server.port}/", body=b"{}", headers={})
    assert answer.error.startswith("SSLCertVerificationError")
