import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from billing import prices
from billing.clients import create_client
from billing.models import Client
from tests import databases, s3
from tests.gateway import Gateway
from workflows import line_up, offers, outlook

# Files whose tests take longest, most of them by waiting. They go first, the longest before the others, and those that
# compute between those that wait: begun last, all else would be waited for.
LONG = (
    "test_accessibility.py",
    "test_up.py",
    "test_workers.py",
    "test_operations_hosts.py",
    "test_operations.py",
    "test_roles.py",
    "test_campaign.py",
    "test_embedded_postgres.py",
    "test_prune.py",
    "test_database.py",
    "test_providers.py",
    "test_control.py",
    "test_hosts.py",
    "test_job_stories.py",
    "test_probes.py",
    "test_background.py",
    "test_engines.py",
    "test_client_stories.py",
    "test_orders_to_providers.py",
    "test_extract.py",
    "test_schemathesis.py",
    "test_reconcile.py",
    "test_outputs.py",
    "test_readme.py",
)


NEXT = pytest.StashKey[pytest.Item | None]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    item.session.stash[NEXT] = nextitem


def uses_gateway(item: pytest.Item | None) -> bool:
    return "running_gateway" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    last = len(LONG)
    # Those that share a gateway follow each other.
    shares = {item.path for item in items if uses_gateway(item)}
    items.sort(
        key=lambda item: (LONG.index(item.path.name) if item.path.name in LONG else last, item.path not in shares)
    )


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker, django_db_modify_db_settings: None
) -> Iterator[None]:
    """Make the test database, and a second one with nobody connected, so that it can be copied."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set())
        connection.close()
        databases.copy(connection.settings_dict["NAME"], databases.TEMPLATE)
    yield
    with django_db_blocker.unblock():
        databases.drop(databases.TEMPLATE)
        teardown_databases(made, verbosity=0)


@pytest.fixture
def own_database(django_db_setup: None, django_db_blocker) -> Iterator[str]:
    """A database of the test's own, with real commits; yields its name."""
    with django_db_blocker.unblock():
        name = databases.fresh()
        with databases.connected(name):
            yield name
        databases.drop(name)


class SharedGateway:
    """Web and worker processes for files that follow each other: they cost their share of a core also while idle."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._running: tuple[Gateway, str] | None = None

    def running(self) -> tuple[Gateway, str]:
        """Return the gateway and the name of its database; start it if it does not run."""
        if self._running is None:
            name = databases.fresh()
            self._running = Gateway(databases.url(name), self._folders.mktemp("gateway")), name
            self._running[0].start("web", "worker")
        return self._running

    def stop(self) -> None:
        if self._running:
            gateway, name = self._running
            self._running = None
            gateway.stop()
            databases.drop(name)


@pytest.fixture(scope="session")
def shared_gateway(
    django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedGateway]:
    shared = SharedGateway(tmp_path_factory)
    yield shared
    with django_db_blocker.unblock():
        shared.stop()


@pytest.fixture(scope="module")
def running_gateway(
    shared_gateway: SharedGateway, django_db_blocker, request: pytest.FixtureRequest
) -> Iterator[tuple[Gateway, str]]:
    with django_db_blocker.unblock():
        running = shared_gateway.running()
    yield running
    if not uses_gateway(request.session.stash[NEXT]):
        with django_db_blocker.unblock():
            shared_gateway.stop()


@pytest.fixture
def gateway(running_gateway: tuple[Gateway, str], django_db_blocker, settings) -> Iterator[Gateway]:
    """Web and worker processes that all tests share; Django's connection and storage here are theirs meanwhile."""
    gateway, name = running_gateway
    with django_db_blocker.unblock(), databases.connected(name):
        storages = {k: dict(v) for k, v in settings.STORAGES.items()}
        storages["default"]["OPTIONS"] = {"location": gateway.data_dir / "storage", "base_url": f"{gateway.url}/files/"}
        settings.STORAGES = storages
        yield gateway


@pytest.fixture
def storage(settings, tmp_path: Path) -> Path:
    """A folder of the test's own, as Django's storage here."""
    local = {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "storage", "base_url": "http://files/"}}
    settings.STORAGES = {**settings.STORAGES, "default": local}
    return tmp_path / "storage"


@pytest.fixture
def away(settings) -> Iterator[Callable[[], None]]:
    """Call it and the storage is away; call it again and it is back."""
    there = settings.STORAGES
    options = {"bucket_name": "studio", "endpoint_url": "http://127.0.0.1:9"}
    gone = {**there, "default": {"BACKEND": "workflows.s3.S3Storage", "OPTIONS": options}}

    def change() -> None:
        settings.STORAGES = gone if settings.STORAGES is there else there

    with mock.patch.dict(os.environ, s3.CREDENTIALS):
        yield change


@pytest.fixture(scope="session")
def running_bucket() -> Iterator[s3.Bucket]:
    with s3.serving() as bucket:
        yield bucket


@pytest.fixture
def bucket(running_bucket: s3.Bucket, settings) -> s3.Bucket:
    """Object storage that all tests share, as Django's storage here."""
    settings.STORAGES = {**settings.STORAGES, "default": running_bucket.storage}
    return running_bucket


# Not for the session: few files use it, and an idle gateway costs its share of a core.
@pytest.fixture(scope="module")
def gateway_running_on_s3(
    django_db_setup: None, django_db_blocker, running_bucket: s3.Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, str]]:
    with django_db_blocker.unblock():
        name = databases.fresh()
        gateway = Gateway(databases.url(name), tmp_path_factory.mktemp("gateway-on-s3"), extra_env=running_bucket.env)
        gateway.start("web", "worker")
    yield gateway, name
    gateway.stop()
    with django_db_blocker.unblock():
        databases.drop(name)


@pytest.fixture
def gateway_on_s3(
    gateway_running_on_s3: tuple[Gateway, str], bucket: s3.Bucket, django_db_blocker
) -> Iterator[Gateway]:
    """Web and worker processes whose files are in `bucket`; Django's connection and storage are theirs meanwhile."""
    gateway, name = gateway_running_on_s3
    with django_db_blocker.unblock(), databases.connected(name):
        yield gateway


@pytest.fixture
def shop() -> "Shop":
    """A client with 100 credits and a key, in whatever database the test uses; name that fixture first."""
    return Shop.make()


class Shop:
    """A client, with the secret of its key; it may order as fast as it can."""

    def __init__(self, client: Client, key: str) -> None:
        self.client, self.key = client, key

    @classmethod
    def make(cls, *, credits: int = 100, name: str = "Shop") -> "Shop":
        shop = cls(*create_client(name=name, credits=credits))
        Client.objects.filter(pk=shop.client.pk).update(jobs_per_minute=1_000_000)
        return shop

    @property
    def balance(self) -> int:
        self.client.refresh_from_db()
        return self.client.balance


@pytest.fixture(autouse=True)
def cold_configuration() -> None:
    """Forget what the process cached: databases that tests copy or roll back reach one version with different rows."""
    for cache in (prices._prices, offers._workflows, line_up._models):
        cache._kept = None
    outlook._kept.clear()
