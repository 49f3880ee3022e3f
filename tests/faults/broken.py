"""Settings under which the module that django-q2 calls cannot be imported, as where a package was not installed."""

import sys

from tests.faults.settings import *  # noqa: F403

sys.modules["workflows.performing"] = None  # type: ignore[assignment]
