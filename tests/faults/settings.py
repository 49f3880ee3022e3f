"""The gateway's own settings, with the engines of tests/faults/plant beside the built-in one."""

from studio_gateway.settings import *  # noqa: F403
from studio_gateway.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.plant"]
