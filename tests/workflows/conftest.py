from collections.abc import Iterator

import pytest

from tests.conftest import Shop
from tests.webhooks import receiver
from tests.workflows.hook import Hook


@pytest.fixture
def hook(own_database: str, shop: Shop) -> Iterator[Hook]:
    with receiver() as got:
        yield Hook(shop, got)
