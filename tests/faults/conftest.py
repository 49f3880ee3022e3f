from collections.abc import Iterator

import pytest

from tests import databases
from tests.faults.cluster import SETTINGS, limits, members
from tests.gateway import Gateway, eventually
from tests.helpers import sql
from workflows.models import Job, Workflow


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A web process with the plant's engines, on a database of its own; when the module is done, no process is left."""
    with django_db_blocker.unblock():
        database = databases.fresh()
        gateway = Gateway(databases.url(database), tmp_path_factory.mktemp("site"), extra_env=SETTINGS)
        gateway.start("web")
        with databases.connected(database):
            yield gateway
        gateway.stop()
        assert eventually(lambda: not members(gateway), what="no process is left")
        databases.drop(database)


@pytest.fixture
def plant(site: Gateway) -> Iterator[Gateway]:
    """The web process and a worker, which other tests may have used before. What they change of limits is put back."""
    (before,) = Workflow.objects.filter(name="background-generator").values("time_limit", "max_attempts", "deadline")
    if "worker" not in site.processes:
        site.start("worker")
    yield site
    limits(**before)
    if Job.objects.filter(status__in=Job.OPEN).exists():  # a test failed: the next one shall not
        sql("UPDATE workflows_job SET deadline_at = now() WHERE status IN ('NOT_STARTED', 'IN_PROGRESS')")
        if "worker" in site.processes:
            site.processes["worker"].kill()
            site.processes.pop("worker").wait()
